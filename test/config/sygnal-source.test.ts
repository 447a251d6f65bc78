import { describe, expect, it } from 'vitest'
import { EVERY_KEY, SAMPLE, sygnalFolder } from './sygnal-fixtures.ts'

const APNS = 'type: apns, keyfile: keys/apns.p8, key_id: ABCDEFGHIJ, team_id: KLMNOPQRST, topic: com.example.app'
const APPS = `apps:\n  com.example.ios: { ${APNS} }\n`

describe('a sygnal.yaml as the configuration', () => {
  it('is what Sygnal does: everything is passed on, and unknown apps are rejected', async () => {
    await using folder = await sygnalFolder()
    const config = await folder.load(SAMPLE)
    expect(config.unknownApp).toBe('reject')
    expect(config.http).toMatchObject({ host: '127.0.0.1', port: 5000, bodyLimitBytes: 512 * 1024 })
    expect(config.routes.map(({ app, provider, policy }) => [app, provider, policy.privacy])).toEqual([
      ['com.example.myapp.ios', 'apns', 'full'],
      ['im.example.app', 'fcm', 'full'],
    ])
  })

  it('may have every key that Sygnal documents', async () => {
    await using folder = await sygnalFolder()
    const config = await folder.load(EVERY_KEY)
    expect(config.http).toMatchObject({ host: 'localhost', port: 5010 })
    expect(config.admin).toMatchObject({ host: '127.0.0.1', port: 8010 })
    expect(config.log).toEqual({ level: 'warn', format: 'json' })
    expect(config.proxy).toMatchObject({ host: 'proxy.example.org', port: 8080 })
    expect(config.proxy?.credentials?.reveal()).toBe('user:secret')
    expect(config.routes.map(({ app, policy }) => [app, policy.counts])).toEqual([
      ['com.example.key', 'none'],
      ['com.example.certificate', 'badge'],
      ['com.example.android', 'none'],
      ['com.example.web', 'badge'],
    ])
    expect(config.warnings.map(({ path, line }) => [path, line])).toEqual([
      ['metrics.opentracing', 13],
      ['metrics.sentry', 14],
    ])
  })

  it('has its paths, and the store, in the working directory', async () => {
    await using folder = await sygnalFolder()
    const config = await folder.load(APPS)
    expect(config.routes[0]?.files).toEqual([folder.at('keys/apns.p8')])
    expect(config.store).toMatchObject({ kind: 'sqlite', file: folder.at('data/hushgate.db') })
    expect(config.queue.encryptionKeyFile).toEqual({ path: folder.at('data/encryption-key'), isOurs: true })
  })

  it('is kept in the store that is given', async () => {
    await using folder = await sygnalFolder()
    const sqlite = await folder.load(APPS, { storeUrl: 'sqlite:./other.db' })
    expect(sqlite.store).toMatchObject({ kind: 'sqlite', file: folder.at('other.db') })
    const redis = await folder.load(APPS, { storeUrl: 'redis://r:1/2', encryptionKeyFile: 'keys/store' })
    expect(redis.store).toMatchObject({ kind: 'redis', topology: { node: { host: 'r', port: 1 }, database: 2 } })
    expect(redis.queue.encryptionKeyFile).toEqual({ path: folder.at('keys/store'), isOurs: false })
  })

  it('uses the proxy of the environment, as Sygnal does', async () => {
    await using folder = await sygnalFolder()
    const config = await folder.load(APPS, {}, { HTTPS_PROXY: 'http://proxy:1' })
    expect(config.proxy).toMatchObject({ host: 'proxy', port: 1 })
  })

  it('is YAML 1.1 as Python reads it, where ${NAME} is only text', async () => {
    await using folder = await sygnalFolder()
    const yaml = `x-common: &common { ${APNS} }\nhttp: { port: 0o5000 }\nhttp: { port: 012 }\napps:\n  a: { <<: *common, topic: "b.c", send_badge_counts: no }\n`
    const { routes, http } = await folder.load(yaml)
    expect(http.port).toBe(10)
    expect(routes[0]).toMatchObject({ options: { topic: 'b.c', key_id: 'ABCDEFGHIJ' }, policy: { counts: 'none' } })
    expect(await folder.mistakes('proxy: "${NOTHING}"\n' + APPS)).toEqual([
      expect.stringMatching(/^1: proxy: expected http:/),
    ])
  })

  it('lets Web Push go to every public host, and warns of it; behind a proxy to the push services of browsers alone', async () => {
    await using folder = await sygnalFolder()
    const apps = `apps:
  com.example.web: { type: webpush, vapid_private_key: keys/vapid.pem, vapid_contact_email: ops@example.org }
`
    const open = await folder.load(apps)
    expect(open.routes[0]?.options).toMatchObject({ allowed_endpoints: ['*'] })
    const proxied = await folder.load(`proxy: http://proxy:1\n${apps}`)
    expect(proxied.routes[0]?.options).not.toHaveProperty('allowed_endpoints')
    for (const { warnings } of [open, proxied])
      expect(warnings.map(({ path }) => path)).toEqual(['apps["com.example.web"].allowed_endpoints'])
  })

  it('starts with globs that overlap, and tells of them', async () => {
    await using folder = await sygnalFolder()
    const { warnings } = await folder.load(`apps:\n  a.*: { ${APNS} }\n  "*.b": { ${APNS} }\n`)
    expect(warnings.map(({ line, path, message }) => `${line}: ${path}: ${message}`)).toEqual([
      '3: apps["*.b"]: "a.*" and "*.b" both match "a.b"; such an app_id is treated as unknown',
    ])
  })

  it.each([
    ['no YAML', 'apps: [\n', '2: : not valid YAML: the indentation does not fit the lines around it'],
    ['a word without anchor', 'apps: *a\n', /^1: : not valid YAML: an alias/],
    [
      'a file that is not there',
      APPS.replace('apns.p8', 'none.p8'),
      '2: apps["com.example.ios"].keyfile: DIR/keys/none.p8 does not exist',
    ],
    [
      'a setting that is missing',
      APPS.replace('topic: com.example.app', ''),
      /^2: apps\["com.example.ios"\].topic: is missing/,
    ],
    [
      'a wrong value',
      `${APPS}http:\n  port: all\n`,
      '4: http.port: expected a whole number from 0 to 65535, found text',
    ],
    [
      'a wrong platform',
      APPS.replace('topic:', 'platform: beta, topic:'),
      /^2: apps\["com.example.ios"\].platform: expected one of "production"/,
    ],
    [
      'a certificate that is none',
      'apps:\n  a:\n    type: apns\n    certfile: keys/apns.p8\n',
      /^4: apps.a.certfile: has no certificate/,
    ],
    [
      'a wrong option of FCM',
      `${APPS}  b:\n    type: gcm\n    api_version: v1\n    project_id: p\n    service_account_file: keys/service_account.json\n    fcm_options:\n      content_available: true\n`,
      '9: apps.b.fcm_options.content_available: is not a field of an FCM v1 message',
    ],
    [
      "Sygnal's two ports in one",
      `${APPS}metrics:\n  prometheus:\n    enabled: true\n    port: 5000\n`,
      '6: metrics.prometheus.port: is the port of http, too; give another than 5000',
    ],
    [
      "a pushkin of one's own",
      `${APPS}  b: { type: my.Pushkin }\n`,
      /^3: apps.b.type: my.Pushkin is a pushkin of your own/,
    ],
    ['no app', 'apps: {}\n', '1: apps: has no app; Sygnal does not start without one either'],
  ])("refuses %s in Sygnal's own words", async (_name, yaml, expected) => {
    await using folder = await sygnalFolder()
    const [only, ...others] = await folder.mistakes(yaml)
    expect(only).toMatch(expected)
    expect(others).toEqual([])
  })

  it('asks for keys where the store is on Redis, once', async () => {
    await using folder = await sygnalFolder()
    expect(await folder.mistakes(APPS, { storeUrl: 'redis://r' })).toEqual([
      expect.stringMatching(/^1: queue.encryption_key_file: with Redis, --encryption-key-file /),
    ])
  })
})
