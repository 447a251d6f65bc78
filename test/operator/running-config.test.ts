/** The running configuration without its secrets. */
import { expect, it } from 'vitest'
import { createKeyFile } from '../../src/core/keyring.ts'
import { runningConfig } from '../../src/operator/running-config.ts'
import { Secret } from '../../src/core/secret.ts'
import { configFolder, GOOD_APP } from '../helpers/config-folder.ts'
import type { Config } from '../../src/config/config.ts'

const APP = `apps:\n${GOOD_APP}`

async function loaded(yaml: string): Promise<Config> {
  await using folder = await configFolder()
  await folder.write('keys', createKeyFile())
  return await folder.load(yaml)
}

it('shows what the process works with, defaults included', async () => {
  const config = runningConfig(await loaded(`privacy: full\n${APP}`))
  expect(config).toMatchObject({
    queue: { maxAgeMs: 24 * 3600_000 },
    unknownApp: 'drop',
    apps: [{ app: 'com.example.good', provider: 'pigeon', policy: { privacy: 'full' } }],
  })
  expect(config).not.toHaveProperty('files')
})

it('hides the passwords of proxy and store', async () => {
  const config = await loaded(`proxy: "http://user:CANARY-proxy@proxy:3128"
store: { url: "redis://redis.example.org", username: hushgate, password: CANARY-store }
queue: { encryption_key_file: keys }
${APP}`)
  const shown = JSON.stringify(runningConfig(config))
  expect(shown).toContain('redis.example.org')
  expect(shown).toContain('"port":3128')
  expect(shown).not.toContain('CANARY')
})

it.each(['passphrase', 'client_secret', 'vapid_private_key', 'password', 'apiToken'])(
  'hides an option of a push service that is called %s',
  async (name) => {
    const config = await loaded(APP)
    const [route] = config.routes
    const options = { ...Object(route?.options), [name]: 'CANARY', [`${name}_file`]: '/etc/name.pem' }
    const shown = JSON.stringify(runningConfig({ ...config, routes: [Object.assign({}, route, { options })] }))
    expect(shown).not.toContain('CANARY')
    expect(shown).toContain('/etc/name.pem')
  },
)

it('hides a Secret and the user in a URL wherever they stand', async () => {
  const config = await loaded(APP)
  const shown = JSON.stringify(
    runningConfig({
      ...config,
      http: { ...config.http, doors: { secrets: { mode: 'enforce', any: [new Secret('CANARY')] } } },
      admin: { ...config.admin, allowedHosts: ['https://CANARY:CANARY@example.org/path'] },
    }),
  )
  expect(shown).not.toContain('CANARY')
  expect(shown).toContain('example.org/path')
})
