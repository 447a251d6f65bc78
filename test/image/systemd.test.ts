/** The systemd unit of config/examples/systemd, as systemd itself judges it. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { codeOf } from '../../scripts/document-code.ts'

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
  const { status, stdout, stderr } = spawnSync('systemd-analyze', args, { encoding: 'utf8' })
  return { status, output: stdout + stderr }
}

describe('the systemd unit', () => {
  it('is understood to the last line', () => {
    expect(analyze('verify', unit)).toEqual({ status: 0, output: '' })
  })

  it('exposes less than 2.0 of the machine, by systemd-analyze security', async ({ annotate }) => {
    const { output } = analyze(
      ...codeOf('docs/deploying.md', 'systemd-analyze security').split(' ').slice(1),
      '--offline=true',
      '--no-pager',
      unit,
    )
    const exposure = Number(/exposure level for \S+: ([\d.]+)/.exec(output)?.[1])
    await annotate(String(exposure))
    expect(exposure).toBeLessThan(MOST_EXPOSED)
  })

  it('is made a template for several processes by the lines of docs/scaling.md, each with an address of its own', () => {
    const lines = codeOf('docs/scaling.md', 'hushgate@.service').replaceAll('/etc/systemd/system', folder)
    execFileSync('/bin/sh', ['-euc', `sudo() { "$@"; }\n${lines}`])
    for (const name of ['hushgate@2', 'hushgate@3'])
      expect(analyze('verify', join(folder, `${name}.service`))).toEqual({ status: 0, output: '' })
    const added = readFileSync(join(folder, 'hushgate@.service.d/address.conf'), 'utf8')
    expect(added).toBe('[Service]\nEnvironment=HUSHGATE_ADDRESS=127.0.0.%i\n')
  })
})
