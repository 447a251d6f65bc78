/** What docs/unifiedpush.md says of ntfy's limits, with its lines pasted into a server.yml. The test's own is the address: the gateway is at 127.0.0.1, as ntfy sees it. */
import { describe, expect, it } from 'vitest'
import { codeOf } from '../../scripts/document-code.ts'
import { createHushgateFolder, startHushgate } from '../helpers/hushgate-process.ts'
import { NTFY } from '../helpers/ntfy.ts'
import { NOTIFY_PATH, startPushServerHost, unifiedPushApp, type PushServerHost } from '../helpers/push-server.ts'
import { until } from '../helpers/received.ts'

const BURST = 60
const EXEMPT = codeOf('docs/unifiedpush.md', 'visitor-request-limit-exempt-hosts')
const BY_SUBSCRIBER = codeOf('docs/unifiedpush.md', 'visitor-subscriber-rate-limiting')

/** Of as many phones, whose names for themselves begin so. */
function topicsOf(user: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `up${user.padEnd(8, '0')}${String(index).padStart(4, '0')}`)
}

interface Desk extends AsyncDisposable {
  readonly host: PushServerHost
  /** A push to each of these phones, and resolves with what ntfy answered to the first try of each. */
  push(topics: readonly string[]): Promise<readonly number[]>
}

async function startDesk(settings: string): Promise<Desk> {
  const host = await startPushServerHost(NTFY.start, settings)
  const folder = await createHushgateFolder()
  await folder.configure({ appsYaml: `apps: ${JSON.stringify({ unifiedpush: unifiedPushApp(host.caFile) })}` })
  const gateway = startHushgate(['serve'], { folder: folder.path })
  host.passTo((await gateway.running()).notify)
  return {
    host,
    async push(topics) {
      for (const topic of topics) {
        const devices = [{ app_id: 'io.element.android.x', pushkey: `${host.url}/${topic}?up=1` }]
        const notification = { event_id: `$${topic}`, room_id: '!room:hush.test', prio: 'high', devices }
        const answer = await host.ask('POST', `${host.url}${NOTIFY_PATH}`, { notification })
        expect(answer).toMatchObject({ status: 200, body: '{"rejected":[]}' })
      }
      const firstTry = (topic: string) => host.answers.find((answer) => answer.topic === topic)?.status
      await until('each was tried', () => topics.every((topic) => firstTry(topic) !== undefined))
      return topics.map((topic) => firstTry(topic) ?? 0)
    },
    async [Symbol.asyncDispose]() {
      await gateway[Symbol.asyncDispose]()
      await folder[Symbol.asyncDispose]()
      await host[Symbol.asyncDispose]()
    },
  }
}

describe(`the limits of ${NTFY.name}`, () => {
  it(`let through ${BURST} pushes for all phones together`, async () => {
    await using desk = await startDesk('')
    const phones = topicsOf('phone', 80)
    const within = phones.slice(0, BURST)
    expect(await desk.push(within)).toEqual(within.map(() => 200))
    expect(await desk.push(phones.slice(BURST))).toContain(429)
  })

  it('are none for an address that is exempt', async () => {
    const phones = topicsOf('phone', 80)
    expect(EXEMPT).toContain('"192.0.2.10"')
    await using desk = await startDesk(EXEMPT.replace('192.0.2.10', '127.0.0.1'))
    expect(await desk.push(phones)).toEqual(phones.map(() => 200))
    const [last = ''] = phones.slice(-1)
    expect(await desk.host.messages(last)).toEqual([expect.stringContaining(`"$${last}"`)])
  })

  it('are those of whoever has subscribed, and nothing comes for who has not', async () => {
    await using desk = await startDesk(BY_SUBSCRIBER)
    const [alice, bob] = [topicsOf('alice', 80), topicsOf('bob', 30)]
    await desk.host.messages(alice.join(','), '192.0.2.1')
    await desk.host.messages(bob.join(','), '192.0.2.2')
    // Their question took one.
    const within = alice.slice(0, BURST - 1)
    expect(await desk.push(within)).toEqual(within.map(() => 200))
    expect(await desk.push(alice.slice(BURST))).toContain(429)
    expect(await desk.push(bob)).toEqual(bob.map(() => 200))
    expect(await desk.push(topicsOf('nobody', 1))).toEqual([507])
  })
})
