/** The lines of CONTRIBUTING.md and of other pages that rewrite files of a checkout, or run tests, pasted in a copy of it: what they write is what was there. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { codeOf } from './document-code.ts'

const { stdout } = process

export interface CheckoutCopy {
  /** Of the copy on that machine. */
  readonly folder: string
  /** Of each file that git would take. */
  readonly files: readonly string[]
  /** The program and its arguments that run this command in a shell of that machine. */
  readonly inShell: (command: string) => readonly [program: string, args: readonly string[]]
}

/** Needs the packages to be installed there. */
export function tryCheckout({ folder, files, inShell }: CheckoutCopy): void {
  const contents = new Map(files.map((file) => [file, readFileSync(join(folder, file))]))
  const path = codeOf('CONTRIBUTING.md', 'export PATH=')
  // The quick tests, which are next there, scripts/test-debian.ts runs when it is asked to.
  const [vitest = ''] = codeOf('test/README.md', 'npx vitest test/intake').split('npm run test:quick')
  for (const line of [
    codeOf('CONTRIBUTING.md', 'npm run schema'),
    codeOf('CONTRIBUTING.md', 'node scripts/write-metrics-doc.ts'),
    codeOf('CONTRIBUTING.md', 'node scripts/write-privacy-doc.ts'),
    codeOf('scripts/bench/README.md', 'node scripts/write-performance-doc.ts'),
    codeOf('CONTRIBUTING.md', 'npm run format'),
    codeOf('CONTRIBUTING.md', 'npx vitest run test/delivery'),
    vitest,
  ]) {
    stdout.write(`\n${line.trim()}\n`)
    const [program, args] = inShell(`set -eu\n${path}\n${line}`)
    const { status } = spawnSync(program, args, { stdio: ['ignore', 'inherit', 'inherit'] })
    if (status !== 0) throw new Error(`It failed: ${line}`)
  }
  const rewritten = files.filter((file) => contents.get(file)?.equals(readFileSync(join(folder, file))) !== true)
  if (rewritten.length > 0) throw new Error(`It is not as it would be written: ${rewritten.join(', ')}`)
  stdout.write('The lines for a checkout: nothing differs from what they write\n')
}
