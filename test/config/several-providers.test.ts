/** An app with several push services under one app_id: how it is written, and who gets which pusher. */
import { describe, expect, it } from 'vitest'
import { openRoutes, type Routes } from '../../src/config/routes.ts'
import type { JsonObject } from '../../src/core/json.ts'
import { shapeOf } from '../../src/core/pusher-match.ts'
import { configFolder, pigeon } from '../helpers/config-folder.ts'

const DOVE = 'https://loft.example.org/1'
/** A pigeon is found by any address, a parrot by anything but one, and a swift by what it is told. */
const kinds = {
  pigeon: { ...pigeon, isOwn: (pushkey: string) => shapeOf(pushkey) === 'url' },
  parrot: { ...pigeon, isOwn: (pushkey: string) => shapeOf(pushkey) !== 'url' },
  swift: pigeon,
}

async function routesOf(yaml: string): Promise<Routes> {
  await using folder = await configFolder(kinds)
  return openRoutes((await folder.load(yaml)).routes, kinds)
}
async function mistakesIn(yaml: string): Promise<string[]> {
  await using folder = await configFolder(kinds)
  return await folder.mistakes(yaml)
}
const chosen = (routes: Routes, pushkey: string, data: JsonObject = {}) => routes.routeFor('a', pushkey, data)?.provider

describe('an app with several push services', () => {
  it('gets a route for each, named after both, with what they have in common and what is said of one', async () => {
    await using folder = await configFolder(kinds)
    const { routes } = await folder.load(`
privacy: event_id_only
apps:
  a:
    privacy: full
    counts: none
    providers:
      - { type: pigeon, key_file: key }
      - { type: parrot, key_file: key, privacy: minimal, placeholder_ids: true }
`)
    expect(
      routes.map(({ name, app, provider, policy: { privacy, counts } }) => [name, app, provider, privacy, counts]),
    ).toEqual([
      ['a pigeon', 'a', 'pigeon', 'full', 'none'],
      ['a parrot', 'a', 'parrot', 'minimal', 'none'],
    ])
  })

  it('is called as any other where its list has but one', async () => {
    const routes = await routesOf('apps:\n  a: { providers: [{ type: pigeon, key_file: key }] }\n')
    expect(routes.all.map(({ name }) => name)).toEqual(['a'])
    expect(chosen(routes, 'anything')).toBe('pigeon')
  })

  it('gives each pusher to the push service that it looks like, whatever their order', async () => {
    for (const order of [
      ['pigeon', 'parrot'],
      ['parrot', 'pigeon'],
    ]) {
      const entries = order.map((type) => `{ type: ${type}, key_file: key }`)
      const routes = await routesOf(`apps:\n  a: { providers: [${entries.join(', ')}] }\n`)
      expect([chosen(routes, DOVE), chosen(routes, 'token')]).toEqual(['pigeon', 'parrot'])
    }
  })

  it('gives a pusher to the first whose when fits, and to none where none does', async () => {
    const routes = await routesOf(`
apps:
  a:
    providers:
      - { type: swift, key_file: key, when: { data: { platform: ios } } }
      - { type: parrot, key_file: key, when: { data: { platform: android }, pushkey: token } }
      - { type: pigeon, key_file: key }
`)
    expect(chosen(routes, 'token', { platform: 'ios' })).toBe('swift')
    expect(chosen(routes, DOVE, { platform: 'ios' })).toBe('swift')
    expect(chosen(routes, 'token', { platform: 'android' })).toBe('parrot')
    expect(chosen(routes, DOVE, { platform: 'android' })).toBe('pigeon')
    expect(chosen(routes, 'token', { platform: 'windows' })).toBeUndefined()
    expect(routes.routeFor('b', DOVE, {})).toBeUndefined()
  })

  it('has its number of shards for each of them', async () => {
    await using folder = await configFolder(kinds)
    await folder.write('keys', 'x')
    const { store } = await folder.load(`
store: { url: "redis://r", shards: { a: 3, b: 2 } }
queue: { encryption_key_file: ${await keysIn(folder)} }
apps:
  a: { providers: [{ type: pigeon, key_file: key }, { type: parrot, key_file: key }] }
  b: { type: pigeon, key_file: key }
`)
    expect(store.kind === 'redis' && [...store.shards]).toEqual([
      ['a pigeon', 3],
      ['a parrot', 3],
      ['b', 2],
    ])
  })
})

describe('a mistake in one of several push services', () => {
  const app = (...entries: string[]) =>
    `apps:\n  a:\n    providers:\n${entries.map((entry) => `      - ${entry}\n`).join('')}`
  it.each([
    ['no entry', 'apps:\n  a:\n    providers: []\n', '3: apps.a.providers: expected a list of'],
    [
      'an entry without type',
      app('{ key_file: key }'),
      '4: apps.a.providers[0].type: is missing: one of "pigeon", "parrot", "swift"',
    ],
    [
      'an unknown option',
      app('{ type: pigeon, key_file: key, wing: 1 }'),
      '4: apps.a.providers[0].wing: unknown key; did you mean "wings"?',
    ],
    [
      'a push service given twice',
      app('{ type: swift, key_file: key, when: { data: { a: b } } }', '{ type: swift, key_file: key }'),
      '5: apps.a.providers[1].type: is there twice; an app has each push service once',
    ],
    [
      'a push service that can get nothing',
      app('{ type: swift, key_file: key }', '{ type: pigeon, key_file: key }'),
      '5: apps.a.providers[1]: gets no pusher: all that it could get are for swift, which stands before it; give one of them a when, or change their order',
    ],
    [
      'a shape that is none',
      app('{ type: pigeon, key_file: key, when: { pushkey: jsn } }'),
      '4: apps.a.providers[0].when.pushkey: expected one of "url", "json", "token", found "jsn"; did you mean "json"?',
    ],
    ['a type beside', `${app('{ type: pigeon, key_file: key }')}    type: pigeon\n`, '5: apps.a.type: unknown key'],
    [
      'a when of the only push service',
      'apps:\n  a: { type: pigeon, key_file: key, when: { pushkey: url } }\n',
      '2: apps.a.when: unknown key',
    ],
  ])('%s is told in its place', async (_what, yaml, sentence) => {
    const mistakes = await mistakesIn(yaml)
    expect(mistakes).toHaveLength(1)
    expect(mistakes[0]).toContain(sentence)
  })

  it('of a common setting is told once, in its own place', async () => {
    expect(
      await mistakesIn(
        'apps:\n  a:\n    privacy: ful\n    providers:\n      - { type: pigeon, key_file: key }\n      - { type: parrot, key_file: key }\n',
      ),
    ).toEqual([expect.stringContaining('3: apps.a.privacy: expected one of')])
  })
})

async function keysIn(folder: { write(name: string, text: string): Promise<void> }): Promise<string> {
  const { createKeyFile } = await import('../../src/core/keyring.ts')
  await folder.write('keys', createKeyFile())
  return 'keys'
}
