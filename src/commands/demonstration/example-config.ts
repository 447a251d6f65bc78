/** The configuration of nobody, for who has none yet: an app on each of three push services, with keys made just now, which no push service knows. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Config } from '../../config/config.ts'
import { loadConfig } from '../../config/load.ts'
import type { ProviderKinds } from '../../config/schema.ts'
import { createServiceAccount } from '../../simulators/fcm-authorization.ts'
import { createVapidKey } from '../keygen.ts'

const FILES = {
  'hushgate.yaml': () => `apps:
  com.example.ios: { type: apns, key_file: key.pem, key_id: ABC123DEFG, team_id: TEAM123456, topic: com.example.app }
  com.example.android: { type: fcm, service_account_file: account.json }
  com.example.web: { type: webpush, vapid_private_key_file: key.pem, vapid_subject: "mailto:you@example.org" }
`,
  'key.pem': createVapidKey,
  'account.json': () => JSON.stringify(createServiceAccount('example', 'https://oauth2.googleapis.com/token')),
} as const

/** Its files are gone when what uses it has ended. */
export async function withExampleConfig<T>(kinds: ProviderKinds, use: (config: Config) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'hushgate-example-'))
  try {
    for (const [name, make] of Object.entries(FILES)) writeFileSync(join(folder, name), make(), { mode: 0o600 })
    return await use(await loadConfig({ path: join(folder, 'hushgate.yaml'), kinds, env: {} }))
  } finally {
    rmSync(folder, { recursive: true })
  }
}
