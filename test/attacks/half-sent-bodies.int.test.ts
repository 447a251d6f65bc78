/** Attack 6 of docs/reliability.md: bodies that are begun and never ended. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { halfSentRequest, NOTIFY_PATH } from '../../scripts/attacks/requests.ts'
import { openConnection, type RawConnection } from '../helpers/raw-http.ts'
import { until } from '../helpers/received.ts'
import { startPushServices, type PushServices } from '../helpers/push-services.ts'
import { postNotification, startAttackRig, type AttackRig } from './attack-rig.ts'

const CONNECTIONS = 600
const BODY_BYTES = 520_000
/** http.body_memory. */
const BUDGET_BYTES = 32 * 1024 ** 2
/** Of the 312 MB that were sent; what is not collected yet counts too. */
const MOST_GROWTH_BYTES = 220e6
/** 10 s for headers and 20 s for all; half a second until it is noticed, and a busy machine. */
const MOST_SECONDS = 25

let services: PushServices
let rig: AttackRig
beforeAll(async () => {
  services = await startPushServices()
  rig = await startAttackRig(parse(services.appsYaml).apps, 'com.example.ios')
})
afterAll(async () => {
  await rig.gateway.close()
  await services[Symbol.asyncDispose]()
})

describe('attack 6: half-sent bodies', () => {
  it('take no more memory than there is for bodies: those that hold most are refused, and everybody else is served', async () => {
    const part = halfSentRequest(BODY_BYTES)
    const held = Math.floor(BUDGET_BYTES / (BODY_BYTES - 1000))
    let statuses: number[] = []
    const { others, rssGrowthBytes, result } = await rig.during(async (url) => {
      const connections = await Promise.all(Array.from({ length: CONNECTIONS }, () => openConnection(url)))
      for (const connection of connections) {
        connection.write(part)
        void connection.answer().then((answer) => answer !== undefined && statuses.push(answer.status))
      }
      await until('all but what there is memory for are answered', () => statuses.length >= CONNECTIONS - held - 1)
      return {
        connections,
        status: await postNotification(url, { event_id: '$one', devices: [{ app_id: 'x', pushkey: 'y' }] }),
      }
    })
    expect(new Set(statuses)).toEqual(new Set([503]))
    expect(result.status).toBe(200)
    expect(others).toEqual([200])
    expect(rssGrowthBytes).toBeLessThan(MOST_GROWTH_BYTES)
    for (const connection of result.connections) connection.destroy()
  })

  it('and headers that never end, and connections on which nothing comes, are closed when they said', async () => {
    const open = (): Promise<RawConnection> => openConnection(rig.gateway.url)
    const [silent, headers, body] = await Promise.all([open(), open(), open()])
    headers.write('POST /_matrix/push/v1/notify HTTP/1.1\r\nHost: x\r\n')
    body.write(`POST ${NOTIFY_PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{`)
    const startedMs = performance.now()
    const seconds = (connection: RawConnection) => connection.closed.then(() => (performance.now() - startedMs) / 1000)
    const [silentSeconds, headersSeconds, bodySeconds] = await Promise.all([silent, headers, body].map(seconds))
    expect(silentSeconds).toBeLessThan(MOST_SECONDS / 2)
    expect(headersSeconds).toBeLessThan(MOST_SECONDS / 2)
    expect(bodySeconds).toBeLessThan(MOST_SECONDS)
    // A slow homeserver has this long, in any case.
    expect(bodySeconds).toBeGreaterThan(19)
    expect(await body.answer()).toMatchObject({ status: 408, body: expect.stringContaining('M_') })
  })
})
