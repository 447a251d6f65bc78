/** Twelve broken set-ups, each named by `check --online`: a sentence that says what to do, and never a bare code. */
import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { check } from '../../src/commands/check.ts'
import { adviceOn } from '../../src/commands/explain-refusal.ts'
import { providers } from '../../src/providers/index.ts'
import { checkRedis } from '../../src/store/redis/check.ts'
import type { RedisSettings } from '../../src/store/settings.ts'
import { checkSqlite } from '../../src/store/sqlite/check.ts'
import { freePort } from '../helpers/free-port.ts'
import { createHushgateFolder, type HushgateFolder } from '../helpers/hushgate-process.ts'
import { startProxy } from '../helpers/proxy.ts'
import { startPushServices, type PushServices } from '../helpers/push-services.ts'
import { startRedis, type TestRedis } from '../helpers/redis.ts'
import { textSink } from '../helpers/text-sink.ts'

let services: PushServices
let folder: HushgateFolder
beforeAll(async () => {
  services = await startPushServices()
})
afterAll(() => services[Symbol.asyncDispose]())
beforeEach(async () => {
  folder = await createHushgateFolder()
})
afterEach(() => folder[Symbol.asyncDispose]())

/** What `check --online` prints of an app. */
async function said(app: string, appsYaml: string, settings = ''): Promise<string> {
  await folder.configure({ appsYaml, settings })
  const [stdout, stderr] = [textSink(), textSink()]
  const path = folder.at('hushgate.yaml')
  const code = await check({ path, env: {}, kinds: providers, stdout, stderr, online: true })
  expect(code).toBe(1)
  const line = stdout
    .text()
    .split('\n')
    .find((each) => each.startsWith(`${app}: `))
  return line ?? `nothing about ${app}: ${stdout.text()}${stderr.text()}`
}

const IOS = 'com.example.ios'
const ANDROID = 'com.example.android'

describe('of push services', () => {
  it('a wrong key id', async () => {
    const yaml = services.appsYaml.replace('SIMULATED1', 'SIMULATEDX')
    expect(await said(IOS, yaml)).toMatch(/InvalidProviderToken: .*key_id and team_id/)
  })

  it('a wrong team', async () => {
    const yaml = services.appsYaml.replace('SIMULATED2', 'SIMULATEDX')
    expect(await said(IOS, yaml)).toMatch(/InvalidProviderToken: .*key_id and team_id/)
  })

  it('a wrong topic', async () => {
    const yaml = services.appsYaml.replace(/topic: "?com\.example\.app"?/, 'topic: com.example.other')
    expect(await said(IOS, yaml)).toMatch(/Topic\w*: is topic the bundle ID/)
  })

  it.each([
    ['an expired certificate', 'ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED', /certificate: has it expired/],
    ['a wrong project', '404 NOT_FOUND', /no such Firebase project/],
    ['a service account of another project', '403 PERMISSION_DENIED', /of this project, with the role/],
    ['a revoked service account', 'oauth 400 invalid_grant', /deleted or disabled/],
    ['a clock that is off', 'ExpiredProviderToken', /clock of this machine is wrong/],
  ])('%s', (_what, reason, advice) => {
    expect(adviceOn(reason)).toMatch(advice)
  })

  it('a proxy that refuses', async () => {
    await using proxy = await startProxy({ connectPorts: [1] })
    const line = await said(IOS, services.appsYaml, `proxy: http://127.0.0.1:${proxy.port}`)
    expect(line).toMatch(/proxy refused: 403: the proxy does not let us through/)
  })

  it('a proxy that is not there', async () => {
    const line = await said(ANDROID, services.appsYaml, `proxy: http://127.0.0.1:${await freePort()}`)
    expect(line).toMatch(/proxy ECONNREFUSED: the proxy does not answer/)
  })

  it('a port at which nobody listens', async () => {
    const yaml = services.appsYaml.replace(/(endpoint: "?https:\/\/[^:]+:)\d+/, `$1${await freePort()}`)
    expect(await said(IOS, yaml)).toMatch(/ECONNREFUSED: nothing listens there: does a firewall refuse it/)
  })

  it('DNS that fails', async () => {
    const yaml = services.appsYaml.replace(
      /endpoint: "?https:\/\/(?:127\.0\.0\.1|localhost)/,
      'endpoint: "https://push.invalid',
    )
    expect(await said(IOS, yaml.replace(/(push\.invalid:\d+)"?/, '$1"'))).toMatch(/(?:ENOTFOUND|EAI_AGAIN): .*DNS/)
  })
})

describe('of a Redis', () => {
  let redis: TestRedis
  let settings: RedisSettings
  beforeEach(async () => {
    redis = await startRedis()
    settings = {
      kind: 'redis',
      topology: redis.topology,
      tls: false,
      prefix: 'hushgate',
      shards: new Map(),
      replicaAcks: 0,
      requirePersistence: false,
    }
  })
  afterEach(() => redis.stop())

  it('nothing is wrong with one that is set up well', async () => {
    expect(await checkRedis(settings, Date.now())).toEqual([])
  })

  it.each([
    ['one that evicts', 'maxmemory-policy', 'allkeys-lru', /maxmemory-policy allkeys-lru/],
    ['one without persistence', 'appendonly', 'no', /appendonly yes/],
  ])('%s', async (_what, name, value, sentence) => {
    await (await redis.client()).config('SET', name, value)
    expect(await checkRedis(settings, Date.now())).toEqual([expect.stringMatching(sentence)])
  })

  it('a clock that differs by more than a minute', async () => {
    expect(await checkRedis(settings, Date.now() + 70_000)).toEqual([
      expect.stringMatching(/clocks .* differ by \d+ s/),
    ])
    expect(await checkRedis(settings, Date.now() + 30_000)).toEqual([])
  })

  it('one that is not there, that wants a password, or whose user may not do enough', async () => {
    const client = await redis.client()
    await client.call('ACL', 'SETUSER', 'narrow', 'on', '>secret', '~other:*', '+get', '+info', '+ping', '+select')
    const { Secret } = await import('../../src/core/secret.ts')
    const narrow = { ...settings, username: 'narrow', password: new Secret('secret') }
    expect(await checkRedis(narrow, Date.now())).toContainEqual(expect.stringMatching(/user narrow may not SET/))
    const wrong = { ...settings, username: 'narrow', password: new Secret(randomUUID()) }
    expect(await checkRedis(wrong, Date.now())).toEqual([expect.stringMatching(/refuses our user or password/)])
    await redis.kill()
    expect(await checkRedis(settings, Date.now())).toEqual([expect.stringMatching(/^nothing listens at .*store\.url/)])
  })
})

describe('of a SQLite file', () => {
  it('a disk that is full, and a file that everybody can read', async () => {
    const file = folder.at('hushgate.db')
    expect(await checkSqlite({ file })).toEqual([])
    expect(await checkSqlite({ file }, async () => 10 * 1024 * 1024)).toEqual([expect.stringMatching(/has 10 MB left/)])
    await folder.write('hushgate.db', 'no database, but of more than a hundred bytes'.repeat(5))
    expect(await checkSqlite({ file })).toEqual([expect.stringMatching(/is not a SQLite database/)])
  })
})
