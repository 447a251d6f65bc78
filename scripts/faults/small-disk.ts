/** A disk that can be full: a small tmpfs. */
import { spawnSync } from 'node:child_process'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface SmallDisk extends AsyncDisposable {
  readonly path: string
  /** Nothing more can be written to it. */
  fill(): Promise<void>
  clear(): Promise<void>
}

const SIZE = '48m'
/** The largest first, and then what is left. */
const CHUNK_BYTES = [1024 * 1024, 4096]

export async function mountSmallDisk(): Promise<SmallDisk> {
  const path = await mkdtemp(join(tmpdir(), 'hushgate-small-disk-'))
  const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE}`, 'hushgate-faults', path], { encoding: 'utf8' })
  if (mount.status !== 0) {
    await rm(path, { recursive: true })
    throw new Error(
      `A disk that is full is made of a small tmpfs, and this process may not mount one (it has to be root, with CAP_SYS_ADMIN): ${mount.stderr}`,
      { cause: mount.error },
    )
  }
  // Lazily: who is still there is about to be killed.
  const unmount = (): void => void spawnSync('umount', ['--lazy', path])
  process.once('exit', unmount)
  const filler = join(path, 'filler')
  return {
    path,
    async fill() {
      const file = await open(filler, 'a')
      try {
        for (const bytes of CHUNK_BYTES) await writeUntilFull(() => file.appendFile(Buffer.alloc(bytes)))
      } finally {
        await file.close()
      }
    },
    clear: () => rm(filler, { force: true }),
    async [Symbol.asyncDispose]() {
      process.off('exit', unmount)
      unmount()
      await rm(path, { recursive: true, force: true })
    },
  }
}

async function writeUntilFull(write: () => Promise<void>): Promise<void> {
  for (;;)
    try {
      await write()
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') return
      throw error
    }
}
