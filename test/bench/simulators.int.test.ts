/** The push services of `npm run bench`, as clients that know nothing of them see them: what they miscount, the bench would report of a gateway. */
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { connect, type ClientHttp2Session, type IncomingHttpHeaders, type IncomingHttpStatusHeader } from 'node:http2'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { pathOfNumber } from '../../scripts/bench/hpack.ts'
import { bodyOf, devicesOf, eventId } from '../../scripts/bench/requests.ts'
import { startRig, type Rig } from '../../scripts/bench/rig.ts'

const folder = mkdtempSync(join(tmpdir(), 'hushgate-bench-test-'))
let rig: Rig
let ca: Buffer

beforeAll(async () => {
  rig = await startRig(folder)
  ca = readFileSync(rig.at('ca.pem'))
})

beforeEach(() => rig.simulator.ask('reset', { delayMs: 5, isRecording: true }))

afterAll(() => {
  rig.simulator.stop()
  rmSync(folder, { recursive: true })
})

interface Answer {
  readonly status: number | undefined
  readonly apnsId?: unknown
  readonly body: string
}

function session(port: number): ClientHttp2Session {
  return connect(`https://127.0.0.1:${port}`, { ca })
}

async function postOn(http2: ClientHttp2Session, path: string, body: string, headers = {}): Promise<Answer> {
  const stream = http2.request({ ':method': 'POST', ':path': path, ...headers })
  stream.end(body)
  const answered: Promise<readonly (IncomingHttpHeaders & IncomingHttpStatusHeader)[]> = once(stream, 'response')
  // At the same time: an answer without a body is over with its headers.
  const [[answer], answerBody] = await Promise.all([answered, text(stream)])
  return { status: answer?.[':status'], apnsId: answer?.['apns-id'], body: answerBody }
}

async function postHttp1(port: number, path: string, body: string): Promise<Answer> {
  const sent = request({ host: '127.0.0.1', port, path, method: 'POST', ca }).end(body)
  const [response]: readonly IncomingMessage[] = await once(sent, 'response')
  return { status: response?.statusCode, body: response === undefined ? '' : await text(response) }
}

async function arrivedKeys(): Promise<readonly string[]> {
  const arrivals = await rig.simulator.ask('arrivals', undefined)
  return arrivals.map(([key]) => key)
}

it.each(['apns', 'fcm'] as const)(
  '%s accepts many pushes at once and tells them apart by their events',
  async (service) => {
    const http2 = session(rig.ports[service])
    const events = Array.from({ length: 500 }, (_, number) => eventId('test', number))
    const [device = ''] = devicesOf(service, 1, rig.ports)
    const answers = await Promise.all(
      events.map((event, number) => postOn(http2, '/3/device/a', bodyOf(event, number, device))),
    )
    http2.destroy()
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    expect((await arrivedKeys()).toSorted()).toEqual(events)
    expect(await rig.simulator.ask('report', undefined)).toMatchObject({ arrived: 500 })
  },
)

it('APNs gives back the apns-id at a port of its own', async () => {
  const http2 = session(rig.ports.apnsWithIds)
  const ids = ['11111111-14a8-11e5-b60b-1697f925ec7b', '22222222-14a8-11e5-b60b-1697f925ec7b']
  const answers = await Promise.all(ids.map((id) => postOn(http2, '/3/device/a', '{}', { 'apns-id': id })))
  http2.destroy()
  expect(answers.map(({ apnsId }) => apnsId)).toEqual(ids)
})

it('Web Push tells its pushes apart by their endpoints, over HTTP/2 and HTTP/1.1', async () => {
  const http2 = session(rig.ports.webpush)
  const numbers = [0, 7, 1_234_567_890, 49_999]
  for (const number of numbers) {
    expect(await postOn(http2, pathOfNumber(number), 'sealed', { ttl: '60' })).toMatchObject({ status: 201 })
    expect(await postHttp1(rig.ports.webpush, pathOfNumber(number), 'sealed')).toMatchObject({ status: 201 })
  }
  http2.destroy()
  expect(await arrivedKeys()).toEqual(numbers.flatMap((number) => [String(number), String(number)]))
})

it('FCM also speaks HTTP/1.1, and gives out access tokens', async () => {
  const token = await postHttp1(rig.ports.tokens, '/token', 'assertion=x')
  expect(JSON.parse(token.body)).toMatchObject({ token_type: 'Bearer', access_token: expect.any(String) })
  const sent = await postHttp1(rig.ports.fcm, '/v1/projects/bench/messages:send', bodyOf(eventId('test', 1), 1, '{}'))
  expect(JSON.parse(sent.body)).toMatchObject({ name: expect.stringContaining('projects/bench/messages/') })
  expect(await arrivedKeys()).toEqual([eventId('test', 1)])
})
