import { describe, expect, it } from 'vitest'
import { openKeys } from '../../src/config/keys.ts'
import { routesChanged, restartOnly } from '../../src/config/reload.ts'
import { createKeyFile } from '../../src/core/keyring.ts'
import { configFolder, GOOD_APP } from '../helpers/config-folder.ts'

const APPS = `apps:\n${GOOD_APP}\n`
const REDIS = 'queue: { encryption_key_file: keys }\nstore: { url: redis://r, password: '

/** Two apps with the same key; `rest` are further options of the first. */
function two(rest: string): string {
  return `apps:\n  a: { type: pigeon, key_file: key${rest} }\n  b: { type: pigeon, key_file: key }\n`
}

describe('restartOnly', () => {
  it.each([
    ['', []],
    ['http: { port: 5002, body_limit: 1MiB }\n', ['http.port', 'http.body_limit']],
    [
      'http: { body_memory: 1MiB, max_devices: 1, max_connections: 9 }\n',
      ['http.body_memory', 'http.max_devices', 'http.max_connections'],
    ],
    ['http: { trust_proxy: [192.0.2.1], limit_per_source: { devices_per_minute: 600, bytes_per_minute: 6MiB } }\n', []],
    ['http: { allow_from: [192.0.2.1], url_secrets_file: secrets, url_secrets_mode: observe }\n', []],
    ['admin: { host: "::1" }\n', ['admin.host']],
    ['admin: { allowed_hosts: [hushgate.example.org] }\n', ['admin.allowed_hosts']],
    ['store: { synchronous: normal }\n', ['store']],
    ['log: { level: debug, format: text }\n', ['log.format']],
    ['queue: { concurrency: 5 }\n', ['queue.concurrency']],
    ['queue: { high_water: 5, max_age: 1h }\nunknown_app: reject\nprivacy: full\n', []],
  ])('from nothing to %j are %j', async (yaml, settings) => {
    await using folder = await configFolder()
    await folder.write('secrets', 'a-secret-of-enough-characters\n')
    expect(restartOnly(await folder.load(APPS), await folder.load(yaml + APPS))).toEqual(settings)
  })

  it('has the store when only its password differs', async () => {
    await using folder = await configFolder()
    await folder.write('keys', createKeyFile())
    const [one, other] = [await folder.load(`${REDIS}one }\n${APPS}`), await folder.load(`${REDIS}other }\n${APPS}`)]
    expect(restartOnly(one, other)).toEqual(['store'])
    expect(restartOnly(one, await folder.load(`${REDIS}one }\n${APPS}`))).toEqual([])
  })

  it('has the encryption key when its file changed, but not when it was made by ourselves', async () => {
    await using folder = await configFolder()
    const before = await folder.load(APPS)
    await openKeys(before)
    const started = await folder.load(APPS)
    expect(restartOnly(before, started)).toEqual([])
    await folder.write('data/encryption-key', createKeyFile())
    expect(restartOnly(started, await folder.load(APPS))).toEqual(['queue.encryption_key_file'])
  })
})

describe('routesChanged', () => {
  it.each([
    ['an option', ', wings: 1', ['a']],
    ['the policy', ', privacy: full', ['a']],
    ['nothing but a default that is written out', ', wings: 2', []],
  ])('has an app when %s differs', async (_name, rest, apps) => {
    await using folder = await configFolder()
    expect([...routesChanged(await folder.load(two('')), await folder.load(two(rest)))]).toEqual(apps)
  })

  it('has every app whose key was rotated under the same name', async () => {
    await using folder = await configFolder()
    const before = await folder.load(two(''))
    await folder.write('key', 'coo coo')
    expect([...routesChanged(before, await folder.load(two('')))]).toEqual(['a', 'b'])
  })

  it('leaves out what was added or removed', async () => {
    await using folder = await configFolder()
    expect([...routesChanged(await folder.load(two('')), await folder.load(APPS))]).toEqual([])
  })
})
