/** The shell of somebody with a container engine, for the blocks of the documents: `docker` and `podman` are the Podman of the tests, `docker compose` makes the same containers by hand. */
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inject } from 'vitest'
import { podman } from '../../scripts/image-tools.ts'
import { follow, type HushgateProcess } from '../helpers/hushgate-process.ts'
import { engineCommand } from './container.ts'

/** As in container.ts: what a container in a container may have. */
const LIMITS = '--ulimit=nofile=4096:4096 --ulimit=nproc=4096:4096'
const COMPOSE = `${process.execPath} ${join(import.meta.dirname, 'compose-by-hand.ts')}`
/** No bridge can be made here, so ports are those of this machine. */
const ENGINE = `#!/bin/sh
set -eu
export HOME='${process.env['HOME'] ?? '/'}' PATH='${process.env['PATH']}'
command=$1; shift
case $command in
compose) exec ${COMPOSE} "$@" ;;
run)
  case " $* " in *' --network '*) ;; *) set -- --network host "$@" ;; esac
  set -- ${LIMITS} "$@" ;;
esac
exec ${podman.join(' ')} "$command" "$@"
`

export interface Shell extends AsyncDisposable {
  /** Where it is, and at home. */
  readonly folder: string
  /** What `docker compose` makes has names that begin so. */
  readonly project: string
  /** Stops at the first line that fails. */
  paste(code: string): HushgateProcess
  /** A program of this name in its path. */
  addProgram(name: string, script: string): void
}

/** `environment` comes on top of what every shell has. */
export function createShell(environment: Readonly<Record<string, string>> = {}): Shell {
  const folder = mkdtempSync(join(tmpdir(), 'hushgate-shell-'))
  const project = `hushgate-shell-${process.pid}`
  const addProgram = (name: string, script: string): void =>
    writeFileSync(join(folder, 'bin', name), script, { mode: 0o755 })
  mkdirSync(join(folder, 'bin'))
  mkdirSync(join(folder, 'Downloads'))
  for (const name of ['docker', 'podman']) addProgram(name, ENGINE)
  // What `kube play` makes is given limits in no other way.
  writeFileSync(
    join(folder, 'containers.conf'),
    '[containers]\ndefault_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]\n',
  )
  // Whoever runs the tests of the image is root.
  addProgram('sudo', '#!/bin/sh\nexec "$@"\n')
  const env = {
    PATH: `${folder}/bin:${process.env['PATH']}`,
    HOME: folder,
    no_proxy: '*',
    // As in container.ts: nobody has a timer for health checks.
    DISABLE_HC_SYSTEMD: 'true',
    CONTAINERS_CONF: join(folder, 'containers.conf'),
    COMPOSE_PROJECT_NAME: project,
    COMPOSE_IMAGE: inject('image'),
    ...environment,
  }
  return {
    folder,
    project,
    addProgram,
    paste: (code) => follow(spawn('/bin/sh', ['-euc', code], { cwd: folder, env })),
    async [Symbol.asyncDispose]() {
      const containers = await named('ps', '--all', '--filter', `name=${project}`)
      const others = await named('ps', '--all', '--filter', `ancestor=${inject('image')}`)
      for (const id of new Set([...containers, ...others])) await engineCommand('rm', '--force', '--time', '0', id)
      for (const id of await named('volume', 'ls', '--filter', `name=${project}`))
        await engineCommand('volume', 'rm', '--force', id)
      rmSync(folder, { recursive: true })
    },
  }
}

async function named(...args: readonly string[]): Promise<readonly string[]> {
  const { stdout } = await engineCommand(...args, '--quiet')
  return stdout.split('\n').filter((each) => each !== '')
}
