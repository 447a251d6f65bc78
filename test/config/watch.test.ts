import { EventEmitter, on } from 'node:events'
import { mkdir, mkdtemp, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { hashFiles } from '../../src/config/files.ts'
import { watchFiles, type FileWatch, type WatchTimes } from '../../src/config/watch.ts'

const BY_EVENTS = { settleMs: 20, pollMs: 3_600_000 }
const BY_POLL = { settleMs: 20, pollMs: 50 }

describe('watchFiles', () => {
  it('notices what kubelet does to a mounted ConfigMap or Secret, every time', async () => {
    await using folder = await temporaryFolder()
    const volume = await atomicWriter(folder.path)
    await volume.publish('one')
    await using changes = await watching([volume.file], BY_EVENTS)
    for (const content of ['two', 'three', 'four']) {
      await volume.publish(content)
      await changes.next()
    }
    expect(changes.count()).toBe(3)
  })

  it('notices a file that an editor replaces, and one that is written in place', async () => {
    await using folder = await temporaryFolder()
    const file = join(folder.path, 'file')
    await writeFile(file, 'one')
    await using changes = await watching([file], BY_EVENTS)
    await writeFile(`${file}~`, 'two')
    await rename(`${file}~`, file)
    await changes.next()
    await writeFile(file, 'three')
    await changes.next()
    expect(changes.count()).toBe(2)
  })

  it('tells of files that change together once, and of none that is only touched', async () => {
    await using folder = await temporaryFolder()
    const files = ['key', 'certificate'].map((name) => join(folder.path, name))
    for (const file of files) await writeFile(file, 'one')
    await using changes = await watching(files, BY_EVENTS)
    for (const file of files) await utimes(file, new Date(), new Date())
    for (const file of files) await writeFile(file, 'two')
    await changes.next()
    expect(changes.count()).toBe(1)
  })

  it('notices a change that happened after the file was used and before it was watched', async () => {
    await using folder = await temporaryFolder()
    const file = join(folder.path, 'file')
    await writeFile(file, 'one')
    const hashes = await hashFiles([file])
    await writeFile(file, 'two')
    const told = Promise.withResolvers<void>()
    const watch = watchFiles(hashes, told.resolve, BY_EVENTS)
    await told.promise
    await watch.close()
  })

  it('finds by polling a file whose folder did not exist', async () => {
    await using folder = await temporaryFolder()
    const file = join(folder.path, 'later', 'file')
    await using changes = await watching([file], BY_POLL)
    await mkdir(join(folder.path, 'later'))
    await writeFile(file, 'one')
    await changes.next()
    await writeFile(file, 'two')
    await changes.next()
  })

  it('watches other files when told to', async () => {
    await using folder = await temporaryFolder()
    const [old = '', other = ''] = ['old', 'other'].map((name) => join(folder.path, name, 'file'))
    for (const name of ['old', 'other']) await mkdir(join(folder.path, name))
    for (const file of [old, other]) await writeFile(file, 'one')
    await using changes = await watching([old], BY_EVENTS)
    changes.watch.setFiles(await hashFiles([other]))
    await writeFile(old, 'two')
    await writeFile(other, 'two')
    await changes.next()
    expect(changes.count()).toBe(1)
  })

  it('is silent once it is closed', async () => {
    await using folder = await temporaryFolder()
    const file = join(folder.path, 'file')
    await writeFile(file, 'one')
    await using closed = await watching([file], BY_POLL)
    await using changes = await watching([file], BY_POLL)
    await closed.watch.close()
    await writeFile(file, 'two')
    await changes.next()
    expect(closed.count()).toBe(0)
  })
})

/** As k8s.io/kubernetes/pkg/volume/util/atomic_writer.go: the file is a link through `..data`, which is replaced as a whole. */
async function atomicWriter(folder: string) {
  const file = join(folder, 'hushgate.yaml')
  let current: string | undefined
  let generation = 0
  return {
    file,
    async publish(content: string): Promise<void> {
      const previous = current
      current = `..2026_11_23_${(generation += 1)}`
      await mkdir(join(folder, current))
      await writeFile(join(folder, current, 'hushgate.yaml'), content)
      await symlink(current, join(folder, '..data_tmp'))
      await rename(join(folder, '..data_tmp'), join(folder, '..data'))
      if (previous === undefined) await symlink(join('..data', 'hushgate.yaml'), file)
      else await rm(join(folder, previous), { recursive: true })
    },
  }
}

interface Changes extends AsyncDisposable {
  readonly watch: FileWatch
  count(): number
  /** Resolves with the next change that nobody waited for yet. */
  next(): Promise<void>
}

async function watching(files: readonly string[], times: WatchTimes): Promise<Changes> {
  const emitter = new EventEmitter()
  const events = on(emitter, 'change')
  let count = 0
  const onChange = (): void => {
    count += 1
    emitter.emit('change')
  }
  const watch = watchFiles(await hashFiles(files), onChange, times)
  return {
    watch,
    count: () => count,
    next: async () => void (await events.next()),
    [Symbol.asyncDispose]: () => watch.close(),
  }
}

async function temporaryFolder() {
  const path = await mkdtemp(join(tmpdir(), 'hushgate-watch-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) }
}
