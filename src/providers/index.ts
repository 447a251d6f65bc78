/** The push services by the name that `type` has in the configuration: the only line that a new one adds outside its folder. */
import type { ProviderKind } from '../core/provider.ts'
import { apns } from './apns/index.ts'
import { fcm } from './fcm/index.ts'
import { hms } from './hms/index.ts'
import { unifiedpush } from './unifiedpush/index.ts'
import { webpush } from './webpush/index.ts'

export const providers = { apns, fcm, hms, unifiedpush, webpush } as const satisfies Readonly<
  Record<string, ProviderKind>
>
