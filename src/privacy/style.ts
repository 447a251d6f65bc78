/** The one style of the page for people: from 320 pixels on, light and dark, nothing loaded. */
export const STYLE = `
:root { color-scheme: light dark; font: 16px/1.4 system-ui, sans-serif; --paper: #fff; --ink: #1c1e21; --soft: #51565e; --line: #d6dae0; --link: #0b57c2; --least: #14713a; --ids: #8a5300; --all: #b3261e }
@media (prefers-color-scheme: dark) { :root { --paper: #14161a; --ink: #e8eaed; --soft: #aab0ba; --line: #3b4048; --link: #8ab4f8; --least: #6dd58c; --ids: #f5b94a; --all: #f2a19b } }
body { max-width: 60rem; margin: 0 auto; padding: .75rem 1rem 1.5rem; overflow-wrap: anywhere; background: var(--paper); color: var(--ink) }
h1 { font-size: 1.35rem; line-height: 1.2; margin: 0 0 .4rem } h2 { font-size: 1.1rem; margin: 1rem 0 .3rem } h3 { font-size: 1rem; margin: .5rem 0 0 } h4 { font-size: .85rem; margin: 0 }
p { margin: .3rem 0 } small { color: var(--soft); font-weight: 400 } a { color: var(--link) } em { font-style: normal; font-weight: 700; text-decoration: underline; text-underline-offset: .15em }
svg { display: block; width: 100%; max-width: 34rem; margin: .5rem auto } svg text { font-size: 11px; fill: currentColor; stroke: none; text-anchor: middle } .ours { color: var(--least) } .arrow { color: var(--soft) }
dl { margin: .3rem 0; display: grid; grid-template-columns: minmax(7rem, max-content) 1fr; gap: .1rem .75rem } dt { color: var(--soft) } dd { margin: 0 } .kept { grid-template-columns: 1fr 1fr }
.apps { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); gap: .6rem; align-items: start }
section { border: 1px solid var(--line); border-left: 4px solid var(--mark); border-radius: .5rem; padding: 0 .75rem .2rem }
.least { --mark: var(--least) } .ids { --mark: var(--ids) } .all { --mark: var(--all) }
@media (max-width: 30rem) { :root { font-size: 15px } } h3:has(.badge) { display: flex; justify-content: space-between; align-items: baseline; gap: .5rem }
.verdict { margin: .1rem 0 .3rem } .badge { font-size: .75rem; font-weight: 700; border: 1px solid var(--mark); color: var(--mark); border-radius: 1rem; padding: 0 .5rem; white-space: nowrap }
.columns { display: grid; grid-template-columns: 1fr 1fr; gap: 0 .75rem; font-size: .85rem } ul { margin: .1rem 0 .2rem; padding: 0; list-style: none } li { padding-left: 1.1rem; text-indent: -1.1rem }
.learns li::before { content: "●"; display: inline-block; width: 1.1rem; text-indent: 0; color: var(--soft) } .hidden li::before { content: "✕"; display: inline-block; width: 1.1rem; text-indent: 0; color: var(--least) }
details { border-top: 1px solid var(--line); font-size: .9rem } summary { cursor: pointer; padding: .35rem 0; font-weight: 600 } pre { font-size: .75rem; white-space: pre-wrap; border: 1px solid var(--line); border-radius: .4rem; padding: .5rem; margin: .3rem 0 }
section details { font-size: .85rem } :focus-visible { outline: 2px solid var(--link); outline-offset: 2px }`
