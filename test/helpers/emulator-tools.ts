/**
 * `xcrun simctl push` and `adb shell am broadcast` where there is neither a Mac nor an Android: programs of these names, as strict with their arguments and their input as the real ones
 * (`xcrun simctl help push`, `am help`). Each prints as JSON what it would put into the emulator.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { spawnSync } from 'node:child_process'
import { isJsonObject } from '../../src/core/json.ts'

/** Of the payload, by simctl as by Apple. */
const MOST_BYTES = 4096

/** The folder for the beginning of PATH. */
export function installEmulatorTools(folder: string): string {
  const programs = join(folder, 'emulator-tools')
  mkdirSync(programs)
  for (const name of ['xcrun', 'adb', 'am'])
    writeFileSync(
      join(programs, name),
      `#!/bin/sh\nexec '${process.execPath}' '${import.meta.filename}' ${name} "$@"\n`,
      { mode: 0o755 },
    )
  return programs
}

async function simctl(args: readonly string[]): Promise<object> {
  const [tool, command, device, bundle = '', file, ...others] = args
  if (tool !== 'simctl' || command !== 'push' || device !== 'booted' || file !== '-' || others.length > 0)
    throw new Error(`usage: simctl push <device> [<bundle identifier>] (<json file> | -), not ${args.join(' ')}`)
  if (!/^[A-Za-z0-9.-]+$/.test(bundle)) throw new Error(`${bundle} is no bundle identifier`)
  const input = await text(process.stdin)
  const payload: unknown = JSON.parse(input)
  if (!isJsonObject(payload) || !isJsonObject(payload['aps'])) throw new Error('the payload has no dictionary "aps"')
  if (Buffer.byteLength(input) > MOST_BYTES) throw new Error(`the payload has more than ${MOST_BYTES} bytes`)
  return { bundle, payload }
}

/** It joins the words, and a shell of the device takes them apart again. */
function adb([command, ...words]: readonly string[]): void {
  if (command !== 'shell') throw new Error(`unknown command ${command}`)
  process.exitCode = spawnSync('/bin/sh', ['-c', words.join(' ')], { stdio: 'inherit' }).status ?? 1
}

function activityManager([command, ...options]: readonly string[]): object {
  if (command !== 'broadcast') throw new Error(`Unknown command: ${command}`)
  const rest = [...options]
  const next = (): string => {
    const word = rest.shift()
    if (word === undefined) throw new Error('Argument expected')
    return word
  }
  const intent = { action: '', component: '', extras: {} }
  while (rest.length > 0) {
    const option = next()
    if (option === '-a') intent.action = next()
    else if (option === '-n') intent.component = next()
    else if (option === '--es') Object.assign(intent.extras, { [next()]: next() })
    else throw new Error(`Error: Unknown option: ${option}`)
  }
  if (!/^[\w.]+\/[\w.]+$/.test(intent.component)) throw new Error(`Bad component name: ${intent.component}`)
  return intent
}

if (import.meta.main) {
  const [name, ...args] = process.argv.slice(2)
  if (name === 'adb') adb(args)
  else process.stdout.write(`${JSON.stringify(name === 'xcrun' ? await simctl(args) : activityManager(args))}\n`)
}
