/** The section `canary`: devices of the operator's own, and what can be wrong with them. */
import { inspect } from 'node:util'
import { expect, it } from 'vitest'
import { configFolder, kinds, pigeon, type ConfigFolder } from '../helpers/config-folder.ts'

/** Its pushkeys are no longer than this; of what is called so, its options keep pushes away. */
const picky: typeof pigeon = {
  ...pigeon,
  targetCheck: () => (secret) => {
    const target = secret.reveal()
    return target.startsWith('away') ? 'not_allowed' : target.length > 20 ? 'impossible' : 'possible'
  },
  notAllowed: 'this loft is closed',
}
const APPS =
  'apps: { com.example.good: { type: pigeon, key_file: key }, com.example.picky: { type: picky, key_file: key } }\n'

async function folderWithPushkey(pushkey = 'a-pushkey\n'): Promise<ConfigFolder> {
  const folder = await configFolder({ ...kinds, picky })
  await folder.write('canary', pushkey)
  return folder
}

it('there is none unless it is configured', async () => {
  await using folder = await folderWithPushkey()
  expect((await folder.load(APPS)).canaries).toEqual([])
})

it('a canary has a route, a pushkey and data that cannot be printed, and five minutes', async () => {
  await using folder = await folderWithPushkey()
  const data = '{ endpoint: "https://secret.example", auth: a }'
  const { canaries, files } = await folder.load(
    `${APPS}canary: [{ app: com.example.good, pushkey_file: canary, data: ${data} }]\n`,
  )
  const [canary] = canaries
  expect(canary).toMatchObject({ appId: 'com.example.good', route: 'com.example.good', everyMs: 300_000 })
  expect(canary?.pushkey.reveal()).toBe('a-pushkey')
  expect(JSON.parse(canary?.data.reveal() ?? '')).toEqual({ endpoint: 'https://secret.example', auth: 'a' })
  expect(inspect(canary)).not.toMatch(/a-pushkey|secret/)
  expect([...files.keys()]).toContain(folder.at('canary'))
})

it.each([
  [
    '[{ app: com.example.good }]',
    'canary[0].pushkey_file: is missing: File with the pushkey of a device of your own; of Web Push, with its subscription as JSON.',
  ],
  [
    '[{ app: com.example.good, pushkey_file: canary, every: 5s }]',
    'canary[0].every: expected a duration such as 500ms, 60s, 5m, 24h or 7d, from 30s to 1h, found "5s"',
  ],
  ['[{ app: com.example.other, pushkey_file: canary }]', 'canary[0].app: no app is configured for this app_id'],
  ['[{ app: com.example.good, pushkey_file: none }]', 'canary[0].pushkey_file: DIR/none does not exist'],
  [
    '[{ app: com.example.good, pushkey_file: canary }, { app: com.example.good, pushkey_file: canary }]',
    'canary[1].app: has a canary already; give one for each app and push service',
  ],
])('canary: %s is refused with its path', async (section, sentence) => {
  await using folder = await folderWithPushkey()
  expect(await folder.mistakes(`${APPS}canary: ${section}\n`)).toEqual([`2: ${sentence}`])
})

it('of an app that is wrong nothing is said of its canary', async () => {
  await using folder = await folderWithPushkey()
  const wrong = APPS.replace('key_file: key }', 'key_file: none }')
  const section = 'canary: [{ app: com.example.good, pushkey_file: canary }]\n'
  expect(await folder.mistakes(wrong + section)).toEqual([
    '1: apps["com.example.good"].key_file: DIR/none does not exist',
  ])
})

it.each([
  [
    'a pushkey that the push service cannot have',
    'much longer than a pushkey of it is',
    'holds what can be no pushkey of this app; of Web Push it is the whole subscription as JSON, or data names the endpoint',
  ],
  ['a pushkey that the options keep pushes from', 'away', 'this loft is closed'],
])('%s is refused', async (_what, pushkey, sentence) => {
  await using folder = await folderWithPushkey(pushkey)
  const section = 'canary: [{ app: com.example.picky, pushkey_file: canary }]\n'
  expect(await folder.mistakes(APPS + section)).toEqual([`2: canary[0].pushkey_file: ${sentence}`])
})
