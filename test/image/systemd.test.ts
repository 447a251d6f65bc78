/** The systemd unit of config/examples/systemd, as systemd itself judges it. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const UNIT = join(import.meta.dirname, '../../config/examples/systemd/hushgate.service')
const HUSHGATE = join(import.meta.dirname, '../../bin/hushgate')
const MOST_EXPOSED = 2

let folder: string
let unit: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'hushgate-systemd-'))
  unit = join(folder, 'hushgate.service')
  // That the program is there is part of what systemd looks at.
  writeFileSync(unit, readFileSync(UNIT, 'utf8').replaceAll('/usr/local/bin/hushgate', HUSHGATE))
})
afterAll(() => rmSync(folder, { recursive: true }))

function analyze(...args: readonly string[]): { readonly status: number | null; readonly output: string } {
  const { status, stdout, stderr } = spawnSync('systemd-analyze', [...args, unit], { encoding: 'utf8' })
  return { status, output: stdout + stderr }
}

describe('the systemd unit', () => {
  it('is understood to the last line', () => {
    expect(analyze('verify')).toEqual({ status: 0, output: '' })
  })

  it('exposes less than 2.0 of the machine, by systemd-analyze security', async ({ annotate }) => {
    const { output } = analyze('security', '--offline=true', '--no-pager')
    const exposure = Number(/exposure level for \S+: ([\d.]+)/.exec(output)?.[1])
    await annotate(String(exposure))
    expect(exposure).toBeLessThan(MOST_EXPOSED)
  })
})
