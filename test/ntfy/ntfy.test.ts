/** From the notify request of a homeserver to a subscriber of a real ntfy, as stock apps have it with UnifiedPush. */
import { readFile } from 'node:fs/promises'
import { request } from 'node:https'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  createHushgateFolder,
  startHushgate,
  type HushgateFolder,
  type HushgateProcess,
} from '../helpers/hushgate-process.ts'
import { until } from '../helpers/received.ts'
import { startNtfy, type Ntfy } from './ntfy.ts'

const NOTIFY_PATH = '/_matrix/push/v1/notify'
let ntfy: Ntfy
let folder: HushgateFolder
let gateway: HushgateProcess

beforeAll(async () => {
  ntfy = await startNtfy()
  folder = await createHushgateFolder()
  await folder.configure({
    appsYaml: `apps: ${JSON.stringify({
      unifiedpush: {
        type: 'unifiedpush',
        privacy: 'event_id_only',
        catch_all: true,
        allowed_endpoints: ['localhost'],
        allow_private_endpoints: ['localhost'],
        ca_file: ntfy.caFile,
      },
    })}`,
  })
  await startGateway()
})
afterAll(async () => {
  await gateway[Symbol.asyncDispose]()
  await folder[Symbol.asyncDispose]()
  await ntfy[Symbol.asyncDispose]()
})

async function startGateway(): Promise<void> {
  gateway = startHushgate(['serve'], { folder: folder.path })
  ntfy.passTo((await gateway.running()).notify)
}

/** At the host of the push server, as apps and homeservers ask. */
async function ask(method: 'GET' | 'POST', body?: object): Promise<unknown> {
  const ca = await readFile(ntfy.caFile)
  return new Promise((resolve, reject) => {
    const asked = request(`${ntfy.url}${NOTIFY_PATH}`, { method, ca, headers: { 'content-type': 'application/json' } })
    asked.on('response', (answer) => {
      text(answer).then((json) => resolve(JSON.parse(json)), reject)
    })
    asked.on('error', reject)
    asked.end(body === undefined ? undefined : JSON.stringify(body))
  })
}

/** As Synapse sends it for a pusher of Element X. */
function push(eventId: string, topic: string): Promise<unknown> {
  const device = {
    app_id: 'io.element.android.x',
    pushkey: `${ntfy.url}/${topic}?up=1`,
    pushkey_ts: 1_700_000_000,
    data: { format: 'event_id_only', default_payload: { cs: 'SECRET' } },
    tweaks: {},
  }
  return ask('POST', {
    notification: {
      event_id: eventId,
      room_id: '!room:hush.test',
      counts: { unread: 1 },
      prio: 'high',
      devices: [device],
    },
  })
}

async function arrived(topic: string, count: number): Promise<readonly string[]> {
  await until(`${count} messages for ${topic}`, async () => (await ntfy.messages(topic)).length >= count)
  return (await ntfy.messages(topic)).map((message) => JSON.parse(message).notification.event_id)
}

describe('a real ntfy behind a proxy that passes one path to Hushgate', () => {
  it('is found by apps as a push server with a Matrix gateway', async () => {
    expect(await ask('GET')).toEqual({ gateway: 'matrix', unifiedpush: { gateway: 'matrix' } })
  })

  it('hands to its subscriber what the app reads, byte for byte', async () => {
    expect(await push('$first', 'upFirst1234567')).toEqual({ rejected: [] })
    expect(await arrived('upFirst1234567', 1)).toEqual(['$first'])
    const [message = ''] = await ntfy.messages('upFirst1234567')
    expect(JSON.parse(message)).toEqual({
      notification: { cs: 'SECRET', event_id: '$first', room_id: '!room:hush.test', counts: { unread: 1 } },
    })
    expect(message).toHaveLength(1024)
  })

  it('gets what was accepted while it was away, also after the gateway was killed', async () => {
    await ntfy.kill()
    expect(await push('$away', 'upAway12345678')).toEqual({ rejected: [] })
    await gateway.end('SIGKILL')
    await ntfy.start()
    await startGateway()
    expect(await arrived('upAway12345678', 1)).toEqual(['$away'])
    // The same event again, as a homeserver repeats it.
    expect(await push('$away', 'upAway12345678')).toEqual({ rejected: [] })
    await push('$after', 'upAway12345678')
    expect(await arrived('upAway12345678', 2)).toEqual(['$away', '$after'])
  })
})
