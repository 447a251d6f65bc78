/** Attacks 1 and 9 of docs/reliability.md: requests that are cheap to send, and were dear to answer. */
import { generateKeyPairSync } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import {
  about,
  deviceAtPort,
  deviceWithKey,
  garbageDevice,
  longContent,
  MAX_DEVICES,
  secret,
  times,
} from '../../scripts/attacks/requests.ts'
import { isJsonObject } from '../../src/core/json.ts'
import { pushTo } from '../helpers/homeserver.ts'
import { newPushkey, startPushServices, type PushServices } from '../helpers/push-services.ts'
import { postNotification, startAttackRig, type AttackRig } from './attack-rig.ts'

/** Far more than a slice of work, far less than what one such request held everybody else up for: 750 ms and more. */
const LONGEST_STALL_MS = 400

let services: PushServices
let rig: AttackRig
beforeAll(async () => {
  services = await startPushServices()
  const { apps } = parse(services.appsYaml)
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const vapid = join(services.folder, 'vapid.pem')
  await writeFile(vapid, privateKey.export({ type: 'pkcs8', format: 'pem' }))
  rig = await startAttackRig(
    {
      ...apps,
      'com.example.full': { ...apps['com.example.android'], privacy: 'full' },
      'com.example.web': {
        type: 'webpush',
        vapid_private_key_file: vapid,
        vapid_subject: 'mailto:ops@example.org',
        allow_private_endpoints: ['127.0.0.1'],
      },
    },
    'com.example.ios',
  )
})
afterAll(async () => {
  await rig.gateway.close()
  await services[Symbol.asyncDispose]()
})

describe('attack 1: long content for many devices', () => {
  const content = longContent(400)

  it('is refused, where there are more devices than any homeserver sends', async () => {
    const devices = times(MAX_DEVICES + 1, () => ({ app_id: 'com.example.full', pushkey: secret() }))
    const { result, others } = await rig.during((url) => postNotification(url, { ...about(), content, devices }))
    expect(result).toBe(413)
    expect(others).toEqual([200])
  })

  it('is shaped once, holds nobody up, and each device gets what there is room for', async () => {
    const pushkeys = times(MAX_DEVICES, () => newPushkey())
    const devices = pushkeys.map(({ fcm }) => ({ app_id: 'com.example.full', pushkey: fcm }))
    const { result, others, longestStallMs } = await rig.during(async (url) => {
      const { status } = await pushTo(url, { ...about(), content, devices })
      await Promise.all(pushkeys.map(({ token }) => services.waitFor(token, 1)))
      return status
    })
    expect(result).toBe(200)
    expect(others).toEqual([200])
    expect(longestStallMs).toBeLessThan(LONGEST_STALL_MS)
    const messages = new Set(pushkeys.flatMap(({ token }) => services.of(token).map(({ body }) => dataOf(body))))
    expect(messages.size).toBe(1)
    const [data = ''] = messages
    expect(JSON.parse(data)).toMatchObject({ content_body: 'hello', room_id: '!room:example.org' })
    expect(Buffer.byteLength(data)).toBeLessThan(4500)
  })
})

describe('attack 9: requests of a few KiB that cost much CPU', () => {
  const withKey = () => deviceWithKey('com.example.android')

  it.each<[string, () => object]>([
    ['garbage for pushkeys', () => garbageDevice('com.example.android')],
    ['keys of devices to agree with', withKey],
    ['a port of its own for each device', () => deviceAtPort('com.example.web', '127.0.0.1')],
  ])('%s: for more than a hundred devices they are refused before anything is done for one', async (_, device) => {
    expect(await postNotification(rig.gateway.url, { ...about(), devices: times(MAX_DEVICES + 1, device) })).toBe(413)
  })

  it('twenty at once, each for a hundred devices with keys to agree with, are done one after the other, and hold nobody up', async () => {
    const notifications = times(20, () => ({ ...about(), devices: times(MAX_DEVICES, withKey) }))
    const { result, others, longestStallMs } = await rig.during((url) =>
      Promise.all(notifications.map((each) => postNotification(url, each))),
    )
    expect(result.filter((status) => status !== 200 && status !== 503)).toEqual([])
    expect(others).toEqual([200])
    expect(longestStallMs).toBeLessThan(LONGEST_STALL_MS)
    // What was refused is taken when it is repeated.
    for (const each of notifications) expect(await pushTo(rig.gateway.url, each)).toMatchObject({ status: 200 })
  })
})

function dataOf(message: unknown): string {
  return JSON.stringify(isJsonObject(message) ? message['data'] : undefined)
}
