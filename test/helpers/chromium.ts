/** Debian's Chromium without a window, driven by its own protocol (CDP). It reaches nothing but this machine. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isJsonObject, type JsonObject, type JsonValue } from '../../src/core/json.ts'

export interface PageOptions {
  /** Pixels. */
  readonly width: number
  readonly height: number
  /** Runs before anything of the page does. */
  readonly script?: string
  /** As the user has set it; default: light. */
  readonly isDark?: boolean
  /** Pixels of the screen for one of the page; default: 2. */
  readonly scale?: number
}

export interface Chromium extends AsyncDisposable {
  /** What the user answers when this origin asks for notifications. */
  allowNotifications(origin: string): Promise<void>
  open(url: string, options: PageOptions): Promise<Page>
}

export interface Page {
  /** The value, or what the promise resolves with, as JSON; rejects with what was thrown. */
  evaluate(expression: string): Promise<unknown>
  /** Wakes the service worker with a push, as the browser does once it has decrypted it. */
  push(payload: string): Promise<void>
  /** PNG. */
  screenshot(): Promise<Buffer>
  /** Errors and warnings in the console, uncaught exceptions, what a policy has blocked. */
  readonly problems: readonly string[]
  /** Every URL that was asked for. */
  readonly requests: readonly string[]
}

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
  '--remote-debugging-port=0',
]
const START_MS = 60_000
/** Chromium stood still once in some hundred runs, without a word. Then the error says at what it stood. */
const ANSWER_MS = 60_000

export async function startChromium(): Promise<Chromium> {
  const profile = await mkdtemp(join(tmpdir(), 'hushgate-chromium-'))
  const child = spawn('chromium', [...FLAGS, `--user-data-dir=${profile}`], {
    env: { PATH: process.env['PATH'], HOME: profile, LANG: 'C.UTF-8' },
    stdio: ['ignore', 'ignore', 'pipe'],
    // A process group of its own: its helpers end with it.
    detached: true,
  })
  const kill = (): void => killGroup(child)
  process.once('exit', kill)
  const ended = new Promise((resolve) => child.once('close', resolve))
  const protocol = await connect(await addressOf(child))

  return {
    async allowNotifications(origin) {
      await protocol.send('Browser.grantPermissions', { origin, permissions: ['notifications'] })
    },
    open: (url, options) => openPage(protocol, url, options),
    async [Symbol.asyncDispose]() {
      // Asked to close, Chromium at times never ends. Nothing of it is kept.
      kill()
      await ended
      process.off('exit', kill)
      await rm(profile, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

async function openPage(protocol: Protocol, url: string, options: PageOptions): Promise<Page> {
  const { width, height, script, isDark = false, scale = 2 } = options
  const { targetId = null } = await protocol.send('Target.createTarget', { url: 'about:blank' })
  const sessionId = textOf((await protocol.send('Target.attachToTarget', { targetId, flatten: true }))['sessionId'])
  const send = (method: string, parameters: JsonObject = {}) => protocol.send(method, parameters, sessionId)
  const loaded = Promise.withResolvers<void>()
  const problems: string[] = []
  const requests: string[] = []
  let registrationId = ''
  protocol.listen(sessionId, (method, parameters) => {
    if (method === 'Page.loadEventFired') loaded.resolve()
    if (method === 'Inspector.targetCrashed') protocol.end(new Error('The page has crashed'))
    const { type, args, entry, exceptionDetails, request, registrations } = parameters
    if (method === 'Runtime.consoleAPICalled' && (type === 'error' || type === 'warning'))
      problems.push(JSON.stringify(args))
    if (method === 'Runtime.exceptionThrown') problems.push(JSON.stringify(exceptionDetails))
    // What is only remarked is none: that a field was not given the focus, as another had it.
    if (method === 'Log.entryAdded' && isJsonObject(entry) && entry['level'] !== 'info')
      problems.push(JSON.stringify(entry))
    if (method === 'Network.requestWillBeSent' && isJsonObject(request)) requests.push(textOf(request['url']))
    if (method === 'ServiceWorker.workerRegistrationUpdated' && Array.isArray(registrations))
      for (const each of registrations) if (isJsonObject(each)) registrationId = textOf(each['registrationId'])
  })
  for (const domain of ['Page', 'Runtime', 'Log', 'Network', 'ServiceWorker']) await send(`${domain}.enable`)
  await send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: scale, mobile: true })
  const scheme = { name: 'prefers-color-scheme', value: isDark ? 'dark' : 'light' }
  await send('Emulation.setEmulatedMedia', { features: [scheme] })
  if (script !== undefined) await send('Page.addScriptToEvaluateOnNewDocument', { source: script })
  const { errorText } = await send('Page.navigate', { url })
  if (errorText !== undefined) throw new Error(`Chromium cannot open ${url}: ${textOf(errorText)}`)
  await answered(Promise.race([loaded.promise, protocol.ended]), 'Page.loadEventFired')

  return {
    problems,
    requests,
    async evaluate(expression) {
      const answer = await send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true })
      if (answer['exceptionDetails'] !== undefined) throw new Error(JSON.stringify(answer['exceptionDetails']))
      return isJsonObject(answer['result']) ? answer['result']['value'] : undefined
    },
    async push(payload) {
      const { origin } = new URL(url)
      await send('ServiceWorker.deliverPushMessage', { origin, registrationId, data: payload })
    },
    async screenshot() {
      const { data } = await send('Page.captureScreenshot', { captureBeyondViewport: true })
      return Buffer.from(textOf(data), 'base64')
    },
  }
}

type Listener = (method: string, parameters: JsonObject) => void

interface Protocol {
  /** Resolves with the result; rejects with the browser's own words. */
  send(method: string, parameters?: JsonObject, sessionId?: string): Promise<JsonObject>
  /** Calls back for each event of this session. */
  listen(sessionId: string, listener: Listener): void
  /** Rejects what waits for an answer, and what will. */
  end(error: Error): void
  /** Rejects when nothing will be answered any more. */
  readonly ended: Promise<never>
}

async function connect(address: string): Promise<Protocol> {
  const socket = new WebSocket(address)
  await once(socket, 'open')
  const waiting = new Map<number, PromiseWithResolvers<JsonObject>>()
  const listeners = new Map<string, Listener>()
  const ended = Promise.withResolvers<never>()
  ended.promise.catch(() => {})
  let lastId = 0
  socket.addEventListener('close', () => ended.reject(new Error('Chromium has ended')))
  socket.addEventListener('message', ({ data }) => {
    const { id, method, params = {}, result = {}, error, sessionId = '' }: JsonObject = JSON.parse(String(data))
    const call = waiting.get(Number(id))
    waiting.delete(Number(id))
    if (error !== undefined) call?.reject(new Error(JSON.stringify(error)))
    else if (isJsonObject(result)) call?.resolve(result)
    if (isJsonObject(params)) listeners.get(textOf(sessionId))?.(textOf(method), params)
  })
  return {
    send(method, params = {}, sessionId) {
      const call = Promise.withResolvers<JsonObject>()
      waiting.set((lastId += 1), call)
      socket.send(JSON.stringify({ id: lastId, method, params, sessionId }))
      return answered(Promise.race([call.promise, ended.promise]), method)
    },
    listen: (sessionId, listener) => void listeners.set(sessionId, listener),
    end: (error) => ended.reject(error),
    ended: ended.promise,
  }
}

async function answered<T>(answer: Promise<T>, method: string): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error(`Chromium stands still at ${method}`)), ANSWER_MS)
  try {
    return await Promise.race([answer, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : ''
}

/** It says on its error output where it listens. */
function addressOf(chromium: ChildProcess): Promise<string> {
  let text = ''
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      killGroup(chromium)
      reject(new Error(`Chromium does not start:\n${text}`))
    }, START_MS)
    chromium.once('error', (cause) => {
      clearTimeout(timer)
      reject(new Error('This needs Chromium: install it with "apt-get install chromium" as root', { cause }))
    })
    chromium.stderr?.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      const [, address] = /DevTools listening on (ws:\S+)/.exec(text) ?? []
      if (address === undefined) return
      clearTimeout(timer)
      resolve(address)
    })
  })
}
