/** The demonstration in a browser: buttons, what was sent beside what was seen, and drawn phones. Nothing is loaded from elsewhere. */
import { SCRIPT } from './script.ts'

export const PAGE_HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy':
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
} as const

const STYLE = `
:root { color-scheme: light dark; font: 16px/1.4 system-ui, sans-serif; --paper: #fff; --ink: #1c1e21; --soft: #51565e; --line: #8a919c; --link: #0b57c2; --kept: #14713a; --told: #8a5300; --screen: #eef1f5 }
@media (prefers-color-scheme: dark) { :root { --paper: #14161a; --ink: #e8eaed; --soft: #aab0ba; --line: #6b727d; --link: #8ab4f8; --kept: #6dd58c; --told: #f5b94a; --screen: #20242a } }
body { margin: 0 auto; max-width: 72rem; padding: 1rem; background: var(--paper); color: var(--ink); overflow-wrap: anywhere }
h1 { font-size: 1.4rem; margin: 0 } h2 { font-size: 1.05rem; margin: 0 0 .4rem } p { margin: .3rem 0 } a { color: var(--link) }
fieldset { border: 1px solid var(--line); border-radius: .5rem; display: inline-flex; flex-wrap: wrap; gap: .3rem 1rem; margin: .4rem .5rem .4rem 0 }
.buttons { display: flex; flex-wrap: wrap; gap: .5rem; margin: .4rem 0 } button { font: inherit; padding: .4rem .9rem; border: 1px solid var(--line); border-radius: .5rem; background: var(--screen); color: var(--ink); cursor: pointer }
button[aria-pressed=true] { background: var(--told); color: var(--paper) } :focus-visible { outline: 3px solid var(--link); outline-offset: 2px }
.compare { overflow-x: auto; margin: .6rem 0 } table { border-collapse: collapse; width: 100%; font-size: .9rem } caption { text-align: left; font-weight: 700; padding-bottom: .2rem } th, td { text-align: left; padding: .2rem .5rem; border-bottom: 1px solid var(--line); vertical-align: top } tbody th, .kept { white-space: nowrap } .kept { color: var(--kept) } .told { color: var(--told); font-weight: 700 }
.phones { display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: 1rem } .phone { border: 3px solid var(--ink); border-radius: 1.8rem; padding: 1.5rem .7rem .9rem; background: var(--screen); min-height: 15rem; position: relative } .phone::before { content: ""; position: absolute; top: .55rem; left: 50%; width: 4rem; height: .4rem; margin-left: -2rem; border-radius: 1rem; background: var(--ink) }
.browser { border-radius: .6rem } .browser::before { left: .8rem; margin: 0; width: .5rem; height: .5rem; box-shadow: .8rem 0 var(--ink), 1.6rem 0 var(--ink) } ol { list-style: none; margin: 0; padding: 0 } .phone li { background: var(--paper); border: 1px solid var(--line); border-radius: .8rem; padding: .5rem .7rem; margin: .4rem 0 } pre { white-space: pre-wrap; font-size: .72rem; margin: .3rem 0 0; color: var(--soft) } #notes li { border-left: 3px solid var(--told); padding-left: .6rem; margin: .3rem 0 }`

const MODES = [
  ['minimal', 'minimal: that something came'],
  ['event_id_only', 'event_id_only: also which message'],
  ['full', 'full: everything'],
] as const

const BUTTONS = [
  ['message', 'Alice writes'],
  ['call', 'Alice calls'],
  ['read', 'You read it elsewhere'],
  ['dead', 'A phone that is gone'],
] as const

const DEVICES = [
  ['Apple', 'iPhone, woken by Apple', ''],
  ['Google', 'Android phone, woken by Google', ''],
  ['Browser', 'Browser, woken by its push service', ' browser'],
] as const

export function demonstrationPage(gatewayUrl: string): string {
  const modes = MODES.map(([mode, label]) => `<label><input type="radio" name="mode" value="${mode}"> ${label}</label>`)
  const buttons = BUTTONS.map(([action, label]) => `<button type="button" data-action="${action}">${label}</button>`)
  const phones = DEVICES.map(
    ([who, label, kind]) =>
      `<section class="phone${kind}" aria-labelledby="of-${who}"><h2 id="of-${who}">${label}</h2><div role="log" aria-label="Notifications: ${label}"><ol id="${who}"></ol></div></section>`,
  )
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Hushgate: a demonstration</title><style>${STYLE}</style></head><body><main>
<h1>What Apple and Google are told, and what not</h1>
<p>A real gateway, with simulated push services. Nothing leaves this machine. <a href="${gatewayUrl}/">What it tells its users</a></p>
<fieldset><legend>Privacy of the apps</legend>${modes.join('')}</fieldset>
<div class="buttons" role="group" aria-label="Let something happen">${buttons.join('')}<button type="button" data-action="outage" aria-pressed="false">Apple is away</button></div>
<div class="compare" tabindex="0" role="region" aria-label="What was sent beside what was seen"><table><caption>Your homeserver sent this. Who saw it?</caption>
<thead><tr><th scope="col">Field</th><th scope="col">As sent</th>${DEVICES.map(([who]) => `<th scope="col">${who === 'Browser' ? 'Push service of the browser' : who}</th>`).join('')}</tr></thead><tbody id="fields"></tbody></table></div>
<div role="log" aria-label="What happened"><ol id="notes"></ol></div>
<div class="phones">${phones.join('\n')}</div>
</main><script>${SCRIPT}</script></body></html>
`
}
