/**
 * Loaded before Hushgate (`node --import`), in each of its threads: its clock is wrong by as many milliseconds as a file in its working directory says. As on
 * a machine whose clock is set, timers and `performance.now` go on as they did.
 */
import { readFileSync } from 'node:fs'
import { CLOCK_FILE } from './clock-file.ts'

const LOOK_MS = 20

const realNow = Date.now
let shiftMs = 0

function look(): void {
  try {
    shiftMs = Number(readFileSync(CLOCK_FILE, 'utf8'))
  } catch {
    // There is none: the clock is right.
    shiftMs = 0
  }
}

look()
setInterval(look, LOOK_MS).unref()
Date.now = () => realNow() + shiftMs
globalThis.Date = new Proxy(Date, {
  construct: (target, args, newTarget) => Reflect.construct(target, args.length === 0 ? [Date.now()] : args, newTarget),
})
