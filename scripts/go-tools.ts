/** How the tools of some tests are made once, outside of the checkout. */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { toolsHome } from './helm-tools.ts'

const { stdout, stderr, env } = process

/** A program of a Go module that `go install` builds as it is. */
export function installGo(target: string, program: string, version: string): void {
  build(target, (folder) => {
    run('go', ['install', `${program}@v${version}`], { cwd: folder, env: { GOBIN: folder } })
    return join(folder, program.split('/').at(-1) ?? '')
  })
}

/** Makes `target` from what `make` leaves in a folder of its own, so that what was cut short is made anew. */
export function build(target: string, make: (folder: string) => string): void {
  if (existsSync(target)) return
  announce(target)
  const startMs = Date.now()
  inFolder((folder) => {
    const made = make(folder)
    mkdirSync(join(target, '..'), { recursive: true })
    if (made === folder) cpSync(folder, target, { recursive: true })
    else renameSync(made, target)
  })
  stdout.write(`  ${Math.round((Date.now() - startMs) / 1000)} s\n`)
}

/** In one that is there only for this. */
export function inFolder(work: (folder: string) => void): void {
  mkdirSync(join(toolsHome, 'building'), { recursive: true })
  const folder = mkdtempSync(join(toolsHome, 'building/'))
  try {
    work(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Its standard output. If it fails, this process ends, and says what the tools need. */
export function run(
  program: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): string {
  const environment = { ...env, GOTOOLCHAIN: 'local', CGO_ENABLED: '0', ...options.env }
  const done = spawnSync(program, args, { cwd: options.cwd, env: environment, encoding: 'utf8', maxBuffer: 2 ** 28 })
  if (done.status === 0) return done.stdout
  stderr.write(`${done.stdout ?? ''}${done.stderr ?? ''}\n${[program, ...args].join(' ')} failed.\n`)
  stderr.write(
    "The tools of the tests need Go 1.26 or newer with a module proxy, Python 3.11 with pip and venv, and apt-get with Debian's lists.\n",
  )
  process.exit(1)
}

export function announce(target: string): void {
  stdout.write(`Installing ${target.slice(toolsHome.length + 1)} (once) …\n`)
}
