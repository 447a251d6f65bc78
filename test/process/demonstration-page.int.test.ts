/** The page of the demonstration in a real browser, with the whole of the demonstration behind it. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AXE, barriers } from '../helpers/axe.ts'
import { startChromium, type Chromium, type Page } from '../helpers/chromium.ts'
import { startHushgate, type HushgateProcess } from '../helpers/hushgate-process.ts'

const PHONES = ['Apple', 'Google', 'Browser']

let folder: string
let demonstration: HushgateProcess
let chromium: Chromium
let page: Page
let url: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hushgate-demonstration-page-'))
  demonstration = startHushgate(['start'], { folder })
  chromium = await startChromium()
  await demonstration.printed('Stop: Ctrl-C')
  const [, address = ''] = /^(http:\S+\/)$/m.exec(demonstration.stdout()) ?? []
  url = address
  page = await chromium.open(url, { width: 1280, height: 900, script: AXE })
})
afterAll(async () => {
  await chromium[Symbol.asyncDispose]()
  await demonstration[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

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
const cells = (field: string) =>
  page.evaluate(`[...document.querySelector('[data-field="${field}"]').cells].slice(2).map((each) => each.textContent)`)
const countOn = (who: string) => `document.getElementById('${who}').children.length`
const areCompared = `document.getElementById('fields').rows.length > 0 && [...document.querySelectorAll('#fields td')].every((each) => each.textContent !== '')`

describe('the page of the demonstration', () => {
  it('shows a message on each phone, and of what was sent what nobody was told', async () => {
    await click('message')
    await shows(areCompared)
    for (const who of PHONES) expect(await page.evaluate(countOn(who))).toBe(1)
    for (const field of ['event_id', 'room_id', 'sender', 'content.body'])
      expect(await cells(field)).toEqual(['✕ not told', '✕ not told', '✕ not told'])
    expect(await cells('counts.unread')).toEqual(['● aps.badge', '✕ not told', '✕ not told'])
  })

  it('in another privacy mode shows what is told then, and in the first one again that it is not', async () => {
    await choose('full')
    await until('full')
    await click('message')
    await shows(areCompared)
    expect(await cells('content.body')).toEqual(['● aps.alert.loc-args.2', '● data.content_body', '✕ not told'])
    await choose('minimal')
    await until('minimal')
  })

  it('shows a call and a read receipt', async () => {
    await click('call')
    await shows(`document.querySelector('[data-field="content.call_id"]') && ${areCompared}`)
    expect(await cells('type')).toEqual(['✕ not told', '✕ not told', '✕ not told'])
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
