/** The whole way of a message, from Synapse to who has subscribed at an ntfy, or at what stands in for it. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  createHushgateFolder,
  startHushgate,
  type HushgateFolder,
  type HushgateProcess,
} from '../helpers/hushgate-process.ts'
import { NTFY } from '../helpers/ntfy.ts'
import { startPushServerHost, unifiedPushApp, type PushServerHost } from '../helpers/push-server.ts'
import { until } from '../helpers/received.ts'
import { STOCK_APPS } from '../helpers/stock-apps.ts'
import { startSynapse, type Synapse } from './synapse.ts'

describe(`a message on Synapse, through Hushgate and ${NTFY.name}`, () => {
  let host: PushServerHost
  let synapse: Synapse
  let folder: HushgateFolder
  let gateway: HushgateProcess
  beforeAll(async () => {
    host = await startPushServerHost(NTFY.start)
    synapse = await startSynapse(host.caFile)
    folder = await createHushgateFolder()
    await folder.configure({
      appsYaml: `apps: ${JSON.stringify({ unifiedpush: unifiedPushApp(host.caFile) })}`,
    })
    gateway = startHushgate(['serve'], { folder: folder.path })
    host.passTo((await gateway.running()).notify)
  })
  afterAll(async () => {
    await gateway[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
    await synapse.close()
    await host[Symbol.asyncDispose]()
  })
  afterEach(({ task }) => {
    if (task.result?.state === 'fail') process.stderr.write(`${gateway.log()}\n${synapse.log().slice(-8000)}`)
  })

  it.each(STOCK_APPS)('is what a subscriber of $name reads', async (app) => {
    const [alice, bob] = await Promise.all([synapse.register('alice'), synapse.register('bob')])
    const roomId = await alice.createRoom([bob], { is_direct: true })
    await bob.join(roomId)
    const topic = `upSynapse${app.name.replaceAll(/\W/g, '')}`
    const endpoint = `${host.url}/${topic}?up=1`
    const url = await app.gatewayFor(endpoint, (at) => host.ask('GET', at))
    await bob.setPusher({ app_id: app.appId, pushkey: endpoint, data: { ...app.data, url } })
    const eventId = await alice.say(roomId, 'the meeting is at nine')
    await until('it has arrived', async () => (await host.messages(topic)).length === 1)
    const [message = ''] = await host.messages(topic)
    expect(app.read(message)).toMatchObject({ eventId, roomId })
    for (const text of [alice.userId, 'the meeting']) expect(message).not.toContain(text)
  })
})
