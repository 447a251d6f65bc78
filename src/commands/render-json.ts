/** What `hushgate render` found, for programs. */
import type { Config } from '../config/config.ts'
import { fieldNames, type Disclosure, type Field } from '../core/disclosure.ts'
import { learnedOf, PARTIES, type LedgerPolicy, type Party } from '../privacy/ledger.ts'
import type { RenderedDevice, RenderedNotification } from './rendered.ts'

type Learned = Partial<Record<Field, Partial<Record<Party, readonly Disclosure[]>>>>

/** For each device what is sent, or why nothing is, and what each party learns at most of what the notification may hold. */
export interface RenderedJson {
  readonly received_bytes: number
  readonly devices: readonly RenderedDeviceJson[]
}

interface RenderedDeviceJson {
  readonly app: string | null
  readonly push_service?: string
  readonly privacy?: string
  readonly sealed_for_device?: boolean
  readonly sent: {
    readonly headers: Readonly<Record<string, string>>
    readonly body: string
    readonly encrypted_for_device: boolean
    readonly shortened: boolean
  } | null
  /** Why nothing is sent. */
  readonly reason?: string
  readonly learns?: Learned
}

export function renderedJson({ body, devices }: RenderedNotification, { unknownApp }: Config): RenderedJson {
  return { received_bytes: body.byteLength, devices: devices.map((device) => deviceJson(device, unknownApp)) }
}

function deviceJson({ route, sealing, result }: RenderedDevice, unknownApp: Config['unknownApp']): RenderedDeviceJson {
  if (route === undefined)
    return { app: null, sent: null, reason: unknownApp === 'reject' ? 'rejected: unknown app' : 'dropped: unknown app' }
  const about = {
    app: route.app,
    push_service: route.provider,
    privacy: route.policy.privacy,
    sealed_for_device: sealing?.key === 'valid',
  }
  if (typeof result === 'string') return { ...about, sent: null, reason: result }
  const { message, isTruncated: shortened, learned } = result
  const sent = { ...message, encrypted_for_device: learned.outside !== undefined, shortened }
  return { ...about, sent, learns: learnedByField(learned) }
}

function learnedByField(policy: LedgerPolicy): Learned {
  return Object.fromEntries(
    fieldNames().map((field) => [
      field,
      Object.fromEntries(PARTIES.map((party) => [party, learnedOf(field, party, policy)])),
    ]),
  )
}
