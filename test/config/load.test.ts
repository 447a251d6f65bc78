import { createHash } from 'node:crypto'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { createKeyFile } from '../../src/core/keyring.ts'
import { configFolder, GOOD_APP } from '../helpers/config-folder.ts'

const APPS = `apps:\n${GOOD_APP}\n`

describe('loadConfig', () => {
  it('needs nothing but one app', async () => {
    await using folder = await configFolder()
    const config = await folder.load(APPS)
    expect(config).toEqual({
      file: folder.at('hushgate.yaml'),
      http: {
        host: '0.0.0.0',
        port: 5000,
        bodyLimitBytes: 524_288,
        bodyMemoryBytes: 33_554_432,
        maxDevices: 100,
        maxConnections: 5000,
        trustProxy: [],
        doors: {},
      },
      admin: {
        host: '127.0.0.1',
        port: 5001,
        tokenFile: { path: folder.at('data/admin-token'), isOurs: true },
        allowedHosts: [],
      },
      store: { kind: 'sqlite', file: folder.at('data/hushgate.db'), synchronous: 'full' },
      queue: {
        maxAgeMs: 86_400_000,
        callMaxAgeMs: 60_000,
        highWater: 1_000_000,
        concurrency: 1000,
        encryptionKeyFile: { path: folder.at('data/encryption-key'), isOurs: true },
      },
      unknownApp: 'drop',
      receipts: true,
      canaries: [],
      log: { level: 'info', format: 'json' },
      routes: [
        {
          name: 'com.example.good',
          app: 'com.example.good',
          provider: 'pigeon',
          options: { key_file: folder.at('key'), wings: 2, brings: 'letter' },
          policy: {
            privacy: 'minimal',
            counts: 'badge',
            defaultPayloadAllow: [],
            sealed: 'optional',
            placeholderIds: false,
          },
          timing: {},
          files: [folder.at('key')],
        },
      ],
      files: new Map([
        [folder.at('hushgate.yaml'), hash(APPS)],
        [folder.at('key'), hash('coo')],
      ]),
      warnings: [],
    })
  })

  it('warns of a release_every for which Element X does not wait when there is a call', async () => {
    await using folder = await configFolder()
    const app = 'type: pigeon\n    key_file: key\n    release_every:'
    const { warnings } = await folder.load(`apps:\n  a.late:\n    ${app} 16s\n  a.timely:\n    ${app} 15s\n`)
    expect(warnings.map(({ path, line }) => [path, line])).toEqual([['apps["a.late"].release_every', 5]])
  })

  it('gives each app its own policy, and the common privacy where it has none', async () => {
    await using folder = await configFolder()
    const { routes } = await folder.load(`
privacy: event_id_only
apps:
  a: { type: pigeon, key_file: key }
  b: { type: pigeon, key_file: key, privacy: full, counts: none, default_payload_allow: [aps.category] }
  c: { type: parrot, key_file: key, brings: call }
`)
    expect(routes.map(({ app, provider, policy }) => [app, provider, policy])).toEqual([
      [
        'a',
        'pigeon',
        {
          privacy: 'event_id_only',
          counts: 'badge',
          defaultPayloadAllow: [],
          sealed: 'optional',
          placeholderIds: false,
        },
      ],
      [
        'b',
        'pigeon',
        {
          privacy: 'full',
          counts: 'none',
          defaultPayloadAllow: ['aps.category'],
          sealed: 'optional',
          placeholderIds: false,
        },
      ],
      [
        'c',
        'parrot',
        {
          privacy: 'event_id_only',
          counts: 'badge',
          defaultPayloadAllow: [],
          sealed: 'optional',
          placeholderIds: false,
        },
      ],
    ])
  })

  it('fills in environment variables, as text or as what the setting wants', async () => {
    await using folder = await configFolder()
    const yaml = `
http: { host: "\${HOST}", port: "\${PORT}" }
queue:
  max_age: \${DAYS}d
${APPS}`
    const env = { HOST: '::1', PORT: '8080', DAYS: '2' }
    const config = await folder.load(yaml, env)
    expect(config.http).toMatchObject({ host: '::1', port: 8080 })
    expect(config.queue.maxAgeMs).toBe(2 * 86_400_000)
  })

  it('keeps a number from the environment as text where text is wanted, and takes $${ as ${', async () => {
    await using folder = await configFolder()
    await folder.write('keys', createKeyFile())
    const { store } = await folder.load(
      `store:\n  url: redis://redis\n  password: \${PASSWORD}\n  username: a$\${b}$c\nqueue: { encryption_key_file: keys }\n${APPS}`,
      { PASSWORD: '0123' },
    )
    expect(store).toMatchObject({ username: 'a${b}$c' })
    expect(store.kind === 'redis' && store.password?.reveal()).toBe('0123')
  })

  it('reads a secret from its file without the newline at its end, and prints it nowhere', async () => {
    await using folder = await configFolder()
    await folder.write('keys', createKeyFile())
    await folder.write('password', 'canary \n')
    const config = await folder.load(
      `store: { url: "rediss://redis:6380/2", username: gate, password_file: password, ca_file: key }\nqueue: { encryption_key_file: keys }\n${APPS}`,
    )
    expect(config.store.kind === 'redis' && config.store.password?.reveal()).toBe('canary ')
    expect(config.store).toMatchObject({
      topology: { kind: 'single', node: { host: 'redis', port: 6380 }, database: 2 },
      tls: true,
      caFile: folder.at('key'),
      username: 'gate',
      prefix: 'hushgate',
      replicaAcks: 0,
      requirePersistence: false,
    })
    expect(inspect(config, { depth: null }) + JSON.stringify(config)).not.toContain('canary')
    expect([...config.files.keys()].toSorted()).toEqual(
      ['hushgate.yaml', 'key', 'keys', 'password'].map((name) => folder.at(name)),
    )
  })

  it.each([
    ['url: redis://redis', 0],
    ['url: "redis+sentinel://a/main"', 'in-step'],
    ['cluster: [redis://a]', 'in-step'],
    ['cluster: [redis://a], replica_acks: 0', 0],
  ])('waits for the replicas where one may take over: { %s }', async (store, replicaAcks) => {
    await using folder = await configFolder()
    await folder.write('keys', createKeyFile())
    const config = await folder.load(`store: { ${store} }\nqueue: { encryption_key_file: keys }\n${APPS}`)
    expect(config.store).toMatchObject({ replicaAcks })
  })

  it('has no admin token with Redis unless one is given', async () => {
    await using folder = await configFolder()
    await folder.write('keys', createKeyFile())
    const redis = `store: { url: redis://redis }\nqueue: { encryption_key_file: keys }\n${APPS}`
    expect((await folder.load(redis)).admin.tokenFile).toBeUndefined()
    await folder.write('token', 'a-token-that-is-long-enough')
    const { admin } = await folder.load(`admin: { token_file: token }\n${redis}`)
    expect(admin.tokenFile).toEqual({ path: folder.at('token'), isOurs: false })
  })

  it.each(['# only a comment', '%YAML 1.1\n---', '\uFEFF'])('reads a file that begins with %j', async (start) => {
    await using folder = await configFolder()
    const config = await folder.load(`${start}\n${APPS}unknown_app: drop\n`)
    expect(config.routes).toHaveLength(1)
  })
})

function hash(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}
