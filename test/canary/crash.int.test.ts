/** A gateway that dies of an error of other people's code, while it holds nothing but canaries: what is left of it, printed or on the disk. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { canaryNotification, valuesIn } from './notification.ts'
import { startCanaryServices, type CanaryServices, type Service } from './services.ts'
import { canary, createFinder, type Finding } from './canary.ts'
import { createHushgateFolder, logLines, startHushgate } from '../helpers/hushgate-process.ts'
import type { Ended } from '../helpers/logged-process.ts'

const APPS: Readonly<Record<Service, string>> = {
  apns: 'com.example.ios',
  declarative: 'com.example.safari',
  fcm: 'com.example.android',
  hms: 'com.example.huawei',
  unifiedpush: 'com.example.unifiedpush',
  webpush: 'com.example.web',
}
const THROW_INSIDE = ['--import', join(import.meta.dirname, './throw-inside.ts')]

let services: CanaryServices
beforeAll(async () => {
  services = await startCanaryServices()
})
afterAll(() => services[Symbol.asyncDispose]())

interface Left {
  readonly ended: Ended
  /** Names of files that no gateway makes. */
  readonly strange: readonly string[]
  readonly findings: readonly Finding[]
}

/** Has a gateway throw at this place; resolves with what is left of it. */
async function throwAt(place: string, service: Service, outlives: boolean): Promise<Left> {
  await using folder = await createHushgateFolder()
  const app = { ...services.section(service, 'works'), privacy: 'full' }
  await folder.configure({
    appsYaml: `apps: ${JSON.stringify({ [APPS[service]]: app })}`,
    settings: 'log: { level: trace }',
  })
  await using gateway = startHushgate(['serve'], { folder: folder.path, nodeOptions: THROW_INSIDE })
  const { notify } = await gateway.running()
  const { pushkey, data } = services.device(service)
  const notification = canaryNotification(
    { appId: APPS[service], pushkey, data },
    { event_id: canary('event_id', `throw-${place}-`) },
  )
  const body = JSON.stringify({ notification })
  await fetch(`${notify}/_matrix/push/v1/notify`, { method: 'POST', body }).catch(() => {})
  if (outlives) {
    await gateway.logged('A delivery was handled')
    gateway.signal('SIGTERM')
  }
  const ended = await gateway.ended
  const names = await readdir(folder.path)
  const files = await Promise.all(names.map((name) => readFile(folder.at(name))))
  return {
    ended,
    strange: names.filter((name) => !/^(?:hushgate\.(?:yaml|db.*)|keys|token)$/.test(name)),
    findings: createFinder(valuesIn(notification))(Buffer.concat([Buffer.from(ended.stdout + ended.stderr), ...files])),
  }
}

describe('an error that nobody caught', () => {
  it.each<[string, Service, string, string]>([
    ['in a callback of APNs', 'apns', 'answer', 'TypeError'],
    ['in a callback of FCM', 'fcm', 'answer', 'TypeError'],
    ['in a callback of a Web Push service', 'webpush', 'answer', 'TypeError'],
    ['in a promise', 'fcm', 'rejection', 'TypeError'],
    ['that is no Error', 'webpush', 'text', 'string'],
  ])('%s ends the process, and leaves no canary behind', async (_what, service, place, error) => {
    const { ended, strange, findings } = await throwAt(place, service, false)
    expect(ended.code).toBe(70)
    const sentence = 'The process ends after an error that nobody caught'
    expect(logLines(ended.stderr)).toEqual([expect.objectContaining({ level: 'fatal', msg: sentence, error })])
    expect(findings).toEqual([])
    expect(strange).toEqual([])
  })
})

it('a warning of Node.js says no canary', async () => {
  const { ended, findings } = await throwAt('warning', 'webpush', true)
  expect(ended.code).toBe(0)
  expect(logLines(ended.stderr)).toContainEqual(expect.objectContaining({ level: 'warn', error: 'TypeError' }))
  expect(findings).toEqual([])
})

it('without the place to throw at, nothing is thrown', async () => {
  const { ended } = await throwAt('nowhere', 'webpush', true)
  expect(ended).toMatchObject({ code: 0, stderr: '' })
})
