/** `hushgate simulate` as a maker of an app uses it: with a gateway, failures by script, and an outage on demand. */
import { execFileSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { codeOf } from '../../scripts/document-code.ts'
import { installEmulatorTools } from '../helpers/emulator-tools.ts'
import {
  createHushgateFolder,
  runHushgate,
  startHushgate,
  type HushgateFolder,
  type HushgateProcess,
} from '../helpers/hushgate-process.ts'
import { freePort } from '../helpers/free-port.ts'
import { pushTo } from '../helpers/homeserver.ts'

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const ios = (name: string): object => ({ app_id: 'com.example.ios', pushkey: base64(name) })
const android = (name: string): object => ({ app_id: 'com.example.android', pushkey: name })

let folder: HushgateFolder
let firstPort: number
let simulate: HushgateProcess
let gateway: HushgateProcess
let control: string
beforeAll(async () => {
  folder = await createHushgateFolder()
  firstPort = await freePort()
  const options = ['--port', String(firstPort), '--bundle-id', 'org.example.chat', '--forward']
  simulate = startHushgate(['simulate', ...options], { folder: folder.path })
  await simulate.printed('phones-ca.pem"\n  unifiedpush')
  control = `http://127.0.0.1:${firstPort + 3}`
  await folder.configure({ appsYaml: simulate.stdout() })
  gateway = startHushgate(['serve'], { folder: folder.path })
  await gateway.running()
})
afterAll(async () => {
  await gateway[Symbol.asyncDispose]()
  await simulate[Symbol.asyncDispose]()
  await folder[Symbol.asyncDispose]()
})

async function notify(eventId: string, ...devices: readonly object[]): Promise<void> {
  const { notify: url } = await gateway.running()
  expect((await pushTo(url, { event_id: eventId, room_id: '!room:example.org', devices })).status).toBe(200)
}

async function tell(service: string, script: string, headers: Record<string, string> = {}): Promise<number> {
  return (await fetch(`${control}/${service}`, { method: 'POST', body: script, headers })).status
}

const huawei = (name: string): object => ({ app_id: 'com.example.huawei', pushkey: name })
/** The phone that is registered, under another name. */
function stock(name: string): object {
  const [, line = '{}'] = /^# A phone with UnifiedPush is registered: (.*)$/m.exec(simulate.stdout()) ?? []
  const device = JSON.parse(line)
  return { ...device, pushkey: device.pushkey.replace(/upPhone$/, name) }
}

/** The browser that is subscribed, under another name. */
function browser(name: string): object {
  const [, line = '{}'] = /^# A browser is subscribed: (.*)$/m.exec(simulate.stdout()) ?? []
  const device = JSON.parse(line)
  return { ...device, data: { ...device.data, endpoint: device.data.endpoint.replace(/browser$/, name) } }
}

describe('hushgate simulate', () => {
  it('is at the ports that were asked for, for the app that was named', () => {
    const printed = simulate.stdout()
    for (const port of [0, 1, 2, 4, 5].map((index) => firstPort + index))
      expect(printed).toContain(`https://127.0.0.1:${port}`)
    expect(printed).toContain('topic: org.example.chat')
  })

  it('says that a port is taken', async () => {
    const { code, stderr } = await runHushgate(['simulate', '--port', String(firstPort)], { folder: folder.path })
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: `Port ${firstPort} cannot be had (EADDRINUSE); take others with --port\n`,
    })
    const none = await runHushgate(['simulate', '--port', 'any'], { folder: folder.path })
    expect(none).toMatchObject({ code: 1, stderr: 'any is no port for simulators\n' })
  })

  it('names the device, and prints what puts the push into an emulator', async () => {
    await notify('$first', ios('phone'), android('phone'), browser('browser'))
    await simulate.printed('Apple (answered 200) received\n    device: 70686f6e65\n')
    await simulate.printed('xcrun simctl push booted org.example.chat - <<')
    await simulate.printed('Google (answered 200) received\n')
    await simulate.printed('am broadcast -a com.google.android.c2dm.intent.RECEIVE -n org.example.chat/')
    await simulate.printed('Browser (answered 201) received\n')
    await simulate.printed('DevTools, Application, Service workers, Push')
  })

  it('prints lines that the tools of the emulators take, pasted, with what the app would get', async () => {
    const PATH = `${installEmulatorTools(folder.path)}:${process.env['PATH']}`
    const paste = (lines: string): unknown =>
      JSON.parse(execFileSync('sh', ['-euc', lines], { env: { PATH }, encoding: 'utf8', stdio: 'pipe' }))
    const before = simulate.stdout().length
    await notify('$pasted', ios('pasted'), android('pasted'))
    const [first, second] = ['xcrun simctl push', "adb shell 'am broadcast"]
    for (const words of [first, second])
      await simulate.printed(words, simulate.stdout().slice(0, before).split(words).length)
    const printed = simulate.stdout().slice(before)
    const [intoIos = ''] = /^xcrun [^]*?^JSON$/m.exec(printed) ?? []
    const [intoAndroid = ''] = /^adb .*$/m.exec(printed) ?? []
    expect(intoIos).toContain(codeOf('docs/for-app-makers.md', 'xcrun simctl push'))
    expect(intoAndroid.replace("'", '')).toContain(codeOf('docs/for-app-makers.md', 'adb shell am broadcast'))
    expect(paste(intoIos)).toEqual({
      bundle: 'org.example.chat',
      payload: { aps: expect.objectContaining({ 'mutable-content': 1 }) },
    })
    expect(paste(intoAndroid)).toEqual({
      action: 'com.google.android.c2dm.intent.RECEIVE',
      component: 'org.example.chat/com.google.firebase.iid.FirebaseInstanceIdReceiver',
      extras: { 'google.message_id': expect.any(String), sync: '1' },
    })
    expect(() => paste(intoIos.replace('"aps"', '"apps"'))).toThrow('dictionary "aps"')
    expect(() => paste(intoAndroid.replace('--es', '--et'))).toThrow('Unknown option')
  })

  it('shows what Huawei is told, and the push server of a phone with UnifiedPush, of an app that is not configured', async () => {
    await notify('$others', huawei('phone'), stock('upPhone'))
    await simulate.printed('Huawei (answered 200: 80000000) received\n    device: phone\n')
    await simulate.printed('{"android":{"urgency":"NORMAL"},"data":"{\\"sync\\":\\"1\\"}"')
    await simulate.printed('Push server (answered 201) received\n    device: upPhone\n')
    await simulate.printed('{"notification":{"room_id":"!room:example.org","event_id":"$others"}}')
    await notify('$others-fail', huawei('xr80300007-phone'), stock('xs410-phone'))
    await simulate.printed('Huawei (answered 400: 80300007) received\n')
    await simulate.printed('Push server (answered 410) received\n')
    expect(await tell('huawei', 's503')).toBe(200)
    expect(await tell('huawei', '')).toBe(200)
    expect(await tell('pushserver', 's503')).toBe(200)
    expect(await tell('pushserver', '')).toBe(200)
  })

  it('shows what Safari shows by itself', async () => {
    const safari = Object(browser('browser'))
    await notify('$safari', { ...safari, data: { ...safari.data, declarative: true } })
    await simulate.printed('shows by itself: "New message"; opens https://chat.example.com/')
  })

  it('fails for a device as its pushkey says, and says why', async () => {
    await notify('$scripted', ios('xs410-phone'), android('xrUNREGISTERED-phone'), browser('xs410-browser'))
    await simulate.printed('Apple (answered 410: Unregistered) received\n    device: 78733431302d70686f6e65\n')
    await simulate.printed('Google (answered 404: UNREGISTERED) received\n')
    await simulate.printed('Browser (answered 410) received\n')
  })

  it('has an outage on demand, after which what waited is delivered', async () => {
    expect(await tell('apple', 's503')).toBe(200)
    await simulate.printed('apple answers everything with s503')
    await notify('$outage', ios('patient'))
    const device = 'device: 70617469656e74'
    await simulate.printed(`Apple (answered 503: ServiceUnavailable) received\n    ${device}\n`)
    expect(await tell('apple', '')).toBe(200)
    await simulate.printed('apple answers as ever')
    await simulate.printed(`Apple (answered 200) received\n    ${device}\n`)
  })

  it.each([
    ['what is no script', 'apple', 'outage', {}, 400],
    ['an unknown push service', 'microsoft', 's503', {}, 404],
    ['a page in a browser', 'apple', 's503', { origin: 'https://evil.example' }, 403],
  ])('takes nothing from %s', async (_what, service, script, headers, status) => {
    expect(await tell(service, script, headers)).toBe(status)
  })

  it('lists in its help the options of a script', async () => {
    const { stdout } = await runHushgate(['simulate', '--help'], { folder: folder.path })
    for (const option of ['s410', 'rUnregistered', 'a2', 'n1', 'o1', 'd500', 'hang', 'rst'])
      expect(stdout).toMatch(new RegExp(`^  ${option} +\\S`, 'm'))
  })
})
