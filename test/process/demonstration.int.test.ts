/** `npm start` where nothing is configured: what somebody sees who tries Hushgate for the first time. */
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { linesToPaste, paste } from './demonstration-lines.ts'
import { AXE, barriers } from '../helpers/axe.ts'
import { startChromium, type Chromium, type Page } from '../helpers/chromium.ts'
import { createHushgateFolder, runHushgate, startHushgate, type HushgateProcess } from '../helpers/hushgate-process.ts'

const ROOM = '!family:example.org'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hushgate-demonstration-'))
})
afterAll(() => rm(folder, { recursive: true }))

describe('the demonstration', () => {
  it.each(['an empty folder', 'the same folder again'])(
    'in %s shows what Apple, Google and a browser are told, and stops at Ctrl-C',
    async () => {
      await using demonstration = startHushgate(['start'], { folder })
      await demonstration.printed('Stop: Ctrl-C')
      const invited = demonstration.stdout().length
      const { curl, node } = linesToPaste(demonstration.stdout())
      expect(curl).toMatch(/^curl http:\/\/127\.0\.0\.1:\d+\//)
      for (const line of [curl, node]) {
        expect(line).toContain(ROOM)
        expect(await paste(line, 'dash')).toBe('{"rejected":[]}')
        expect(await paste(line, 'bash')).toBe('{"rejected":[]}')
      }

      await demonstration.printed('Apple received', 4)
      await demonstration.printed('Google received', 4)
      await demonstration.printed('Browser received', 4)
      demonstration.signal('SIGINT')
      const { code, stdout, stderr } = await demonstration.ended
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      const shown = stdout.slice(invited)
      expect(shown.match(/Apple received\n/g)).toHaveLength(4)
      expect(shown.match(/Google received\n/g)).toHaveLength(4)
      expect(shown).toMatch(
        /Browser received\n {4}ttl: 86400\n {4}urgency: normal\n {4}encrypted: 1127 bytes\n {4}\{"sync":"1"\}\n/,
      )
      expect(shown).toContain('apns-topic: com.example.app')
      // Each block up to what is compared with what was sent.
      const received = [...shown.matchAll(/received\n(.*?)\n\n {4}The homeserver sent/gs)].map(([, block]) => block)
      expect(received).toHaveLength(12)
      expect(received.join('')).not.toMatch(/!family|\$event|@alice|See you at eight/)
      expect(shown.match(/^ {4}sender +@alice:example\.org +–$/gm)).toHaveLength(12)
    },
  )

  it('leaves everything in data/demonstration', async () => {
    expect(await readdir(folder)).toEqual(['data'])
    expect(await readdir(join(folder, 'data'))).toEqual(['demonstration'])
  })
})

describe('several demonstrations at once', () => {
  it('have ports of their own each, also while somebody has the usual ones, and their files name them', async () => {
    await using all = new AsyncDisposableStack()
    for (const port of [5000, 5001]) all.defer(await occupy(port))
    const begun = await Promise.all(['a', 'b', 'c'].map((name) => mkdtemp(join(tmpdir(), `hushgate-${name}-`))))
    const running = begun.map((each) => {
      all.defer(() => rm(each, { recursive: true }))
      return { folder: each, process: all.use(startHushgate(['start'], { folder: each })) }
    })
    await Promise.all(running.map((each) => each.process.printed('Stop: Ctrl-C')))
    const ports: string[] = []
    for (const { folder: each, process } of running) {
      const urls = /users: (\S+)\/ {3}Metrics: (\S+)\/metrics/.exec(process.stdout())?.slice(1) ?? []
      const configPath = join(each, 'data/demonstration/hushgate.yaml')
      const asked = await runHushgate(['health', '--ready', '--config', configPath], { folder: each })
      expect(asked).toMatchObject({ code: 0, stderr: '' })
      const named = [...(await readFile(configPath, 'utf8')).matchAll(/port: (\d+) \}/g)].map(([, port]) => port)
      expect(named).toEqual(urls.map((url) => new URL(url).port))
      ports.push(...urls.map((url) => new URL(url).port))
    }
    expect(new Set(ports).size).toBe(6)
  })
})

/** Resolves with what frees it. Whoever has that port already does as well. */
async function occupy(port: number): Promise<() => void> {
  const server = createServer().listen(port, '127.0.0.1')
  await once(server, 'listening').catch(() => undefined)
  return () => void server.close()
}

describe('hushgate simulate', () => {
  it('prints a configuration that is right, and a browser that is subscribed', async () => {
    await using home = await createHushgateFolder()
    const simulate = startHushgate(['simulate'], { folder: home.path })
    await simulate.printed('phones-ca.pem"\n  unifiedpush')
    const printed = simulate.stdout()
    await home.write('hushgate.yaml', printed)
    expect(await runHushgate(['check', '--online'], { folder: home.path })).toMatchObject({ code: 0, stderr: '' })
    expect(printed).toMatch(/^# A browser is subscribed: \{"app_id":"com.example.web","pushkey":"B[\w-]{86}"/m)
    simulate.signal('SIGTERM')
    expect(await simulate.ended).toMatchObject({ code: 0, stderr: '' })
  })
})

const PHONES = ['Apple', 'Google', 'Browser']
const NOT_TOLD = '✕ not told'

let pageFolder: string
let demonstration: HushgateProcess
let chromium: Chromium
let page: Page
let url: string
/** Resolves once this is true on the page; the limit only catches what hangs. */
async function shows(condition: string): Promise<void> {
  const answer = await page.evaluate(`new Promise((resolve) => {
    const isTrue = () => { try { return Boolean(${condition}) } catch { return false } }
    const done = (answer) => { observer.disconnect(); clearTimeout(timer); resolve(answer) }
    const observer = new MutationObserver(() => isTrue() && done('shown'))
    const timer = setTimeout(() => done(document.body.innerText), 40_000)
    observer.observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true })
    if (isTrue()) done('shown')
  })`)
  expect(answer).toBe('shown')
}

/** What was compared before is away. */
const click = (action: string) =>
  page.evaluate(`document.getElementById('fields').replaceChildren()
    document.querySelector('[data-action=${action}]').click()`)
const choose = (mode: string) => page.evaluate(`document.querySelector('[value=${mode}]').click()`)
/** What is said of a field to each of PHONES. */
async function cells(field: string): Promise<readonly string[]> {
  const row = `document.querySelector('[data-field="${field}"]')`
  const texts = `[...${row}.cells].slice(2).map((each) => each.textContent)`
  return JSON.parse(String(await page.evaluate(`JSON.stringify(${texts})`)))
}
const countOn = (who: string) => `document.getElementById('${who}').children.length`
const areCompared = `document.getElementById('fields').rows.length > 0 && [...document.querySelectorAll('#fields td')].every((each) => each.textContent !== '')`

describe('the page of the demonstration', () => {
  beforeAll(async () => {
    pageFolder = await mkdtemp(join(tmpdir(), 'hushgate-demonstration-page-'))
    demonstration = startHushgate(['start'], { folder: pageFolder })
    chromium = await startChromium()
    await demonstration.printed('Stop: Ctrl-C')
    const [, address = ''] = /^(http:\S+\/)$/m.exec(demonstration.stdout()) ?? []
    url = address
    page = await chromium.open(url, { width: 1280, height: 900, script: AXE })
  })
  afterAll(async () => {
    await chromium[Symbol.asyncDispose]()
    await demonstration[Symbol.asyncDispose]()
    await rm(pageFolder, { recursive: true })
  })

  describe.each([
    ['event_id_only', 'event_id', ['● event_id', '● data.event_id', NOT_TOLD]],
    ['full', 'content.body', ['● aps.alert.loc-args.2', '● data.content_body', NOT_TOLD]],
    // The last one, for then it was another one before.
    ['minimal', 'counts.unread', ['● aps.badge', NOT_TOLD, NOT_TOLD]],
  ])('in the mode %s', (mode, field, told) => {
    beforeAll(async () => {
      await choose(mode)
      await until(mode)
      await page.evaluate(
        `for (const id of ['notes', ...${JSON.stringify(PHONES)}]) document.getElementById(id).replaceChildren()`,
      )
    })

    it('shows a message on each phone, and beside what was sent what was told, and to whom', async () => {
      await click('message')
      await shows(areCompared)
      for (const who of PHONES) expect(await page.evaluate(countOn(who))).toBe(1)
      expect(await cells(field)).toEqual(told)
      const isKept = { sender: mode !== 'full', 'content.body': mode !== 'full', room_id: mode === 'minimal' }
      for (const [each, kept] of Object.entries(isKept))
        expect([each, (await cells(each)).every((cell) => cell === NOT_TOLD)]).toEqual([each, kept])
    })

    it('shows a call and a read receipt', async () => {
      await click('call')
      await shows(`document.querySelector('[data-field="content.call_id"]') && ${areCompared}`)
      expect((await cells('type')).some((cell) => cell.startsWith('●'))).toBe(mode === 'full')
      await click('read')
      await shows(`document.getElementById('Apple').innerText.includes('The number on the app icon is 0')`)
    })

    it('shows that a homeserver is told of a phone that is gone', async () => {
      await click('dead')
      await shows(`document.getElementById('notes').innerText.includes('Apple answered 410')`)
      await shows(`/is gone, and stops: .*"rejected":\\["[^"]+"\\]/.test(document.getElementById('notes').innerText)`)
    })

    it('shows that what Apple cannot take waits, and arrives when Apple is back', async () => {
      await click('outage')
      await shows(`document.querySelector('[data-action=outage]').ariaPressed === 'true'`)
      const before = Number(await page.evaluate(`document.getElementById('Google').children.length`))
      expect(before).toBeGreaterThan(0)
      await page.evaluate(`document.getElementById('Apple').replaceChildren()`)
      await click('message')
      await shows(`document.getElementById('notes').innerText.includes('Apple answered 503')`)
      expect(await page.evaluate(countOn('Apple'))).toBe(0)
      await click('outage')
      await shows(`${countOn('Apple')} === 1`)
    })
  })

  it('has no barrier, asks for nothing elsewhere, and fits a small phone', async () => {
    expect(await barriers(page)).toEqual([])
    expect(page.problems).toEqual([])
    expect(page.requests.filter((each) => !each.startsWith(url))).toEqual([])
    const small = await chromium.open(url, { width: 360, height: 740, script: AXE, isDark: true })
    expect(await small.evaluate('document.documentElement.scrollWidth')).toBe(360)
    expect(await barriers(small)).toEqual([])
  })

  it('works by keyboard: each control can be reached, and says what it is', async () => {
    const reached = await page.evaluate(
      `[...document.querySelectorAll('a, button, input')].filter((each) => each.tabIndex === 0 && (each.innerText || each.labels?.[0]?.innerText)).length`,
    )
    expect(reached).toBe(await page.evaluate(`document.querySelectorAll('a, button, input').length`))
  })

  it('does nothing for a page of another origin', async () => {
    const response = await fetch(`${url}act`, {
      method: 'POST',
      headers: { origin: 'https://example.org' },
      body: '{"action":"message"}',
    })
    expect(response.status).toBe(403)
  })
})

/** The page is told once the gateway says that it is in this mode. */
async function until(mode: string): Promise<void> {
  await shows(`document.body.dataset.mode === '${mode}'`)
}
