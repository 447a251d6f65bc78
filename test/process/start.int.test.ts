/** What a process does that cannot start, or that meets an error nobody caught. */
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { createServer } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { freePort } from '../helpers/free-port.ts'
import {
  createHushgateFolder,
  logLines,
  runHushgate,
  startHushgate,
  type HushgateFolder,
} from '../helpers/hushgate-process.ts'
import { newPushkey, startPushServices, type PushServices } from '../helpers/push-services.ts'
import { pushTo } from '../helpers/homeserver.ts'

let services: PushServices
let folder: HushgateFolder
beforeAll(async () => {
  services = await startPushServices()
})
afterAll(() => services[Symbol.asyncDispose]())
beforeEach(async () => {
  folder = await createHushgateFolder()
})
afterEach(() => folder[Symbol.asyncDispose]())

const serve = (...args: readonly string[]) => runHushgate(['serve', ...args], { folder: folder.path })

describe('a bad configuration', () => {
  it('is refused with every mistake and its line, and nothing is made, listens or is logged', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' })
    await folder.write('wrong.p8', String(privateKey.export({ type: 'pkcs8', format: 'pem' })))
    await folder.write(
      'hushgate.yaml',
      `http: { host: 127.0.0.1, port: five }
admin: { host: 127.0.0.1, prot: 5001 }
apps:
  com.example.*: { type: apns, key_file: wrong.p8, key_id: ABCDE12345, team_id: ABCDE12345, topic: com.example }
  com.*.app: { type: fcm, service_account_file: missing.json }
`,
    )
    const before = await readdir(folder.path)
    const { code, stdout, stderr } = await serve()
    const [title, ...mistakes] = stderr.replaceAll(folder.path, 'DIR').trim().split('\n')
    expect(title).toBe('The configuration is refused:')
    expect(mistakes).toEqual([
      'DIR/hushgate.yaml:1: http.port: expected a whole number from 0 to 65535, found text',
      expect.stringMatching(/^DIR\/hushgate.yaml:2: admin.prot: unknown key; did you mean "port"/),
      expect.stringMatching(/^DIR\/hushgate.yaml:4: apps\["com.example.\*"\].key_file: .*P-256/),
      expect.stringMatching(/^DIR\/hushgate.yaml:5: apps\["com.\*.app"\]: .*both match "com.example.app"/),
      'DIR/hushgate.yaml:5: apps["com.*.app"].service_account_file: DIR/missing.json does not exist',
    ])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(await readdir(folder.path)).toEqual(before)
  })

  it('that is missing is refused by its name', async () => {
    const { code, stderr } = await serve('--config', 'other.yaml')
    expect(code).toBe(1)
    expect(stderr).toBe(`The configuration is refused:\n${folder.at('other.yaml')} does not exist\n`)
    expect(await readdir(folder.path)).toEqual(['keys', 'token'])
  })

  it.each(['http', 'worker'])('with SQLite and --role %s is refused, as nobody would do the rest', async (role) => {
    await folder.configure({ appsYaml: services.appsYaml })
    const { code, stdout, stderr } = await serve('--role', role)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain(`--role ${role} needs Redis`)
    expect(await readdir(folder.path)).toEqual(['hushgate.yaml', 'keys', 'token'])
  })
})

describe('a second process on the same SQLite file', () => {
  it('is refused in one sentence, and the first goes on', async () => {
    await folder.configure({ appsYaml: services.appsYaml })
    await using first = startHushgate(['serve'], { folder: folder.path })
    const { notify } = await first.running()
    const { code, stdout, stderr } = await serve()
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr.match(/^.*is in use by another Hushgate.*$/gm)).toHaveLength(1)
    expect(stderr.trim().split('\n')).toHaveLength(2)
    const { token, apns } = newPushkey()
    const devices = [{ app_id: 'com.example.ios', pushkey: apns }]
    expect((await pushTo(notify, { event_id: '$event', devices })).status).toBe(200)
    await services.waitFor(token, 1)
  })
})

describe('a port that somebody has', () => {
  it.each([
    ['http.port', 'notifyPort'],
    ['admin.port', 'adminPort'],
  ] as const)(
    '(%s) ends the process with a sentence, and nothing is left behind that hinders the next',
    async (setting, which) => {
      const other = createServer().listen(0, '127.0.0.1')
      await once(other, 'listening')
      const address = other.address()
      const port = typeof address === 'object' ? address?.port : undefined
      await folder.configure({ appsYaml: services.appsYaml, [which]: port })
      const { code, stdout, stderr } = await serve()
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
      expect(stderr).toContain(`${setting}: port ${port} of 127.0.0.1 is in use by another program`)
      other.close()
      await folder.configure({ appsYaml: services.appsYaml, [which]: await freePort() })
      await using next = startHushgate(['serve'], { folder: folder.path })
      await next.running()
    },
  )
})

describe('an error that nobody caught', () => {
  it.each([
    ['exception', "throw new Error('CANARY')"],
    ['rejection', "void Promise.reject(new Error('CANARY'))"],
  ])('(%s) ends the process with one line of JSON that does not quote it', async (_name, action) => {
    await folder.write('bug.mjs', `process.on('SIGUSR2', () => { ${action} })`)
    await folder.configure({ appsYaml: services.appsYaml })
    const nodeOptions = ['--import', folder.at('bug.mjs')]
    await using gateway = startHushgate(['serve'], { folder: folder.path, nodeOptions })
    await gateway.running()
    gateway.signal('SIGUSR2')
    const { code, stdout, stderr } = await gateway.ended
    expect(code).toBe(70)
    expect(stderr.trim().split('\n')).toHaveLength(1)
    expect(logLines(stderr)).toMatchObject([
      { level: 'fatal', msg: 'The process ends after an error that nobody caught', error: 'Error' },
    ])
    expect(stdout + stderr).not.toContain('CANARY')
  })
})
