/** The section of an app with `type: unifiedpush`, and which pushers are its own. */
import { createECDH } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../../src/config/load.ts'
import { openRoutes } from '../../../src/config/routes.ts'
import { providers } from '../../../src/providers/index.ts'
import { unifiedpush, type UnifiedPushOptions } from '../../../src/providers/unifiedpush/index.ts'
import { configFolder } from '../../helpers/config-folder.ts'

const NTFY = 'https://ntfy.example.org/upAbCdEf123?up=1'
const KEYS = { p256dh: createECDH('prime256v1').generateKeys('base64url'), auth: 'A'.repeat(22) }

async function mistakesIn(options: Partial<UnifiedPushOptions>): Promise<string[]> {
  const found = await unifiedpush.inspect({ allowed_endpoints: ['ntfy.example.org'], ...options })
  return found.map(({ option, message }) => `${option}: ${message}`)
}

async function configured(yaml: string) {
  await using folder = await configFolder(providers)
  await folder.write('hushgate.yaml', yaml)
  const config = await loadConfig({ path: folder.at('hushgate.yaml'), env: {}, kinds: providers })
  return { config, routes: await openRoutes(config.routes, providers) }
}

describe('the section of a UnifiedPush app', () => {
  it('needs no more than the hosts of its push servers', async () => {
    const { config } = await configured(
      'apps:\n  a: { type: unifiedpush, privacy: event_id_only, allowed_endpoints: [ntfy.example.org] }\n',
    )
    expect(config.warnings).toEqual([])
    await using folder = await configFolder(providers)
    expect(await folder.mistakes('apps:\n  a: { type: unifiedpush }\n')).toEqual([
      expect.stringContaining('apps.a.allowed_endpoints: is missing'),
    ])
  })

  it('that is minimal is warned of, as stock apps show nothing, unless it has placeholder IDs', async () => {
    const yaml = (more: string) =>
      `apps:\n  a:\n    type: unifiedpush\n    allowed_endpoints: [ntfy.example.org]\n${more}`
    expect((await configured(yaml(''))).config.warnings).toMatchObject([
      { path: 'apps.a.placeholder_ids', message: expect.stringContaining('show nothing for such a push') },
    ])
    expect((await configured(yaml('    placeholder_ids: true\n'))).config.warnings).toEqual([])
  })

  it.each([
    [
      { allowed_endpoints: ['https://ntfy.example.org'] },
      'allowed_endpoints: "https://ntfy.example.org" is not the name of a host',
    ],
    [
      { allow_private_endpoints: ['192.168.1.*'] },
      'allow_private_endpoints: "192.168.1.*" must be the name of a host of yours',
    ],
    [
      { allow_private_endpoints: ['10.0.0.1'] },
      'allow_private_endpoints: "10.0.0.1" must be the name of a host of yours',
    ],
    [{ allow_private_endpoints: ['*'] }, 'allow_private_endpoints: "*" must be the name of a host of yours'],
    [{ catch_all: true, allowed_endpoints: ['*.org'] }, 'allowed_endpoints: "*.org" lets strangers name any host'],
    [{ ca_file: '/nowhere' }, 'ca_file: /nowhere cannot be read'],
  ])('is refused with %j', async (options, sentence) => {
    expect(await mistakesIn(options)).toEqual([expect.stringContaining(sentence)])
  })

  it('may let anybody name a host where it takes only its own app_id', async () => {
    expect(await mistakesIn({ allowed_endpoints: ['*'] })).toEqual([])
  })
})

describe('a pusher of an app_id that no app is configured for', () => {
  const YAML = `
apps:
  com.example.exact: { type: unifiedpush, privacy: event_id_only, allowed_endpoints: [other.example.org] }
  com.example.glob.*: { type: unifiedpush, privacy: event_id_only, allowed_endpoints: [other.example.org] }
  any: { type: unifiedpush, privacy: event_id_only, catch_all: true, allowed_endpoints: [ntfy.example.org, "*.nextpush.example"] }
`
  const appFor = async (appId: string, pushkey = NTFY, data = {}) =>
    (await configured(YAML)).routes.routeFor(appId, pushkey, data)?.app

  it('goes to the app that takes all, after an exact name and a glob', async () => {
    expect(await appFor('com.example.exact')).toBe('com.example.exact')
    expect(await appFor('com.example.glob.x')).toBe('com.example.glob.*')
    expect(await appFor('io.element.android.x')).toBe('any')
    expect(await appFor('io.element.android.x', NTFY, KEYS)).toBe('any')
    expect(await appFor('io.element.android.x', 'https://me.nextpush.example/push/1')).toBe('any')
  })

  it.each([
    ['a token', 'cQ8:APA91b', {}],
    ['another host', 'https://evil.example.org/upAbC', {}],
    ['a name below its own', 'https://ntfy.example.org.evil.test/upAbC', {}],
    ['no TLS', 'http://ntfy.example.org/upAbC', {}],
    ['a password', 'https://ntfy.example.org@evil.test/upAbC', {}],
    ['an endpoint in the data, which is Web Push', NTFY, { endpoint: NTFY, auth: KEYS.auth }],
    ['keys that are none', NTFY, { p256dh: 'hello', auth: 'world' }],
  ])('stays unknown with %s', async (_what, pushkey, data) => {
    expect(await appFor('io.element.android.x', pushkey, data)).toBeUndefined()
  })

  it('stays unknown where the app_id is none', async () => {
    expect(await appFor(`io.element\n${'x'.repeat(10)}`)).toBeUndefined()
    expect(await appFor('x'.repeat(300))).toBeUndefined()
  })
})
