/** Builds the image once for all tests, from this checkout with its own Dockerfile, on the bases that scripts/install-image-tools.ts made. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { codeOf } from '../../scripts/document-code.ts'
import { bases, podman } from '../../scripts/image-tools.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    readonly image: string
  }
}

const CHECKOUT = join(import.meta.dirname, '../..')

/** Vitest calls it before the first test, and what it returns after the last. */
export function setup(project: TestProject): () => void {
  const image = `localhost/hushgate-test:${process.pid}`
  const folder = mkdtempSync(join(tmpdir(), 'hushgate-image-'))
  writeFileSync(join(folder, 'npmrc'), 'cafile=/etc/ssl/certs/ca-certificates.crt\n')
  // The name is the test's own. chroot: needs no more rights than this process has. The authorities of this machine, for a registry behind a proxy of its own.
  const line = codeOf('docs/deploying.md', 'podman build').replace('-t hushgate', `-t ${image}`)
  const [, build = '', ...words] = line.split(' ')
  run([
    ...podman,
    build,
    ...'--quiet --isolation chroot --network host --pull=never --layers=false'.split(' '),
    '--volume=/etc/ssl/certs:/etc/ssl/certs:ro',
    `--volume=${folder}/npmrc:/root/.npmrc:ro`,
    `--build-arg=BUILD_IMAGE=${bases.build}`,
    `--build-arg=RUNTIME_IMAGE=${bases.runtime}`,
    '--build-arg=VERSION=0.0.0-test',
    ...words,
  ])
  rmSync(folder, { recursive: true })
  project.provide('image', image)
  return () => run([...podman, 'rmi', '--force', image])
}

function run([program = '', ...args]: readonly string[]): void {
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd: CHECKOUT, encoding: 'utf8' })
  if (status === 0) return
  throw new Error(
    `${[program, ...args].join(' ')} failed; are the tools installed (node scripts/install-image-tools.ts)?\n${stdout}${stderr}`,
    { cause: error },
  )
}
