/** What the kubelet would put into a pod's /etc/hushgate, put into a folder. */
import { generateKeyPairSync } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { createToken } from '../../../src/config/keys.ts'
import { createKeyFile } from '../../../src/core/keyring.ts'
import type { JsonObject, JsonValue } from '../../../src/core/json.ts'
import { createAuthority } from '../../../src/simulators/certificate.ts'
import { ofKind, pick, pickList, pickText } from './chart.ts'

/** With what a shell or a Redis might stumble over. */
export const EXAMPLE_PASSWORD = String.raw`an example: $1 #2 "3" \4 'n\n`

const certificate = createAuthority().certificate

/** Content for each kind of secret, by the name of its file: good enough for the gateway to accept. */
const CONTENTS: Readonly<Record<string, () => string>> = {
  key_file: () => privateKey('ec'),
  service_account_file: () =>
    JSON.stringify({
      type: 'service_account',
      project_id: 'example-app',
      private_key_id: 'example',
      private_key: privateKey('rsa'),
      client_email: 'push@example-app.iam.gserviceaccount.com',
      token_uri: 'https://oauth2.googleapis.com/token',
    }),
  vapid_private_key_file: () => privateKey('ec'),
  password_file: () => EXAMPLE_PASSWORD,
  proxy_file: () => 'http://push:an%20example@192.0.2.20:3128',
  pushkey_file: () => Buffer.alloc(32, 1).toString('base64'),
  headers_file: () => 'authorization=Bearer%20example',
  ca_file: () => certificate,
  'extra-ca.pem': () => certificate,
  encryption: createKeyFile,
  'admin-token': createToken,
}

function privateKey(type: 'ec' | 'rsa'): string {
  const { privateKey: key } =
    type === 'ec'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : generateKeyPairSync('rsa', { modulusLength: 2048 })
  return key.export({ type: 'pkcs8', format: 'pem' }).toString()
}

/** `change` may replace what is only true inside a pod. */
export async function mountConfig(
  objects: readonly JsonObject[],
  podSpec: JsonValue | undefined,
  folder: string,
  change: (text: string) => string = (text) => text,
): Promise<void> {
  const volume = pickList(podSpec, 'volumes').find((each) => pick(each, 'name') === 'config')
  const mode = Number(pick(volume, 'projected', 'defaultMode'))
  for (const source of pickList(volume, 'projected', 'sources')) {
    const path = pickText(source, pick(source, 'configMap') === undefined ? 'secret' : 'configMap', 'items', 0, 'path')
    const make = CONTENTS[basename(path)]
    const text = make === undefined ? change(ownFile(objects, source)) : make()
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), text, { mode })
  }
}

function ownFile(objects: readonly JsonObject[], source: JsonValue): string {
  const name = pickText(source, 'configMap', 'name')
  const object = ofKind(objects, 'ConfigMap').find((each) => pick(each, 'metadata', 'name') === name)
  return pickText(object, 'data', pickText(source, 'configMap', 'items', 0, 'key'))
}
