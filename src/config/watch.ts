/**
 * Notices that a file of the configuration changed. Watches folders, not files: a watched file that is replaced is never heard of again, and
 * Kubernetes replaces the folder behind a symbolic link (docs/facts/node.md#watching-files). A slow poll is the net below.
 */
import { watch, type FSWatcher } from 'node:fs'
import { dirname } from 'node:path'
import type { FileHashes } from './config-error.ts'
import { hashFiles } from './files.ts'

export interface WatchTimes {
  /** How long nothing must change before it is told: a file may be written in pieces, and a key before its certificate. */
  readonly settleMs?: number | undefined
  readonly pollMs?: number | undefined
}

export interface Watch {
  /** Watches these instead. Hashes as they were when the files were used: a change since then is told, too. */
  setFiles(files: FileHashes): void
  /** When it resolves, `onChange` is not called again. */
  close(): Promise<void>
}

/** `onChange` is called once for all changes of a moment. Does not keep the process alive. */
export function watchFiles(
  initial: FileHashes,
  onChange: () => void,
  { settleMs = 1000, pollMs = 30_000 }: WatchTimes = {},
): Watch {
  const watchers = new Map<string, FSWatcher>()
  let known = initial
  /** A change that was seen once; it is told when it is seen again unchanged. */
  let candidate: FileHashes | undefined
  let timer: NodeJS.Timeout | undefined
  let looking = Promise.resolve()
  let isClosed = false

  // Not put off by further events: something else in the folder may change all the time.
  const lookSoon = (): void => {
    if (isClosed) return
    timer ??= setTimeout(() => {
      timer = undefined
      looking = looking.then(look)
    }, settleMs).unref()
  }
  const look = async (): Promise<void> => {
    watchFolders()
    const against = known
    const current = await hashFiles(against.keys())
    if (isClosed || against !== known) return
    if (areEqual(current, known)) candidate = undefined
    else if (candidate !== undefined && areEqual(current, candidate)) {
      known = current
      candidate = undefined
      onChange()
    } else {
      candidate = current
      lookSoon()
    }
  }
  const watchFolders = (): void => {
    const folders = new Set([...known.keys()].map((path) => dirname(path)))
    for (const folder of watchers.keys()) if (!folders.has(folder)) forget(folder)
    for (const folder of folders) {
      if (watchers.has(folder)) continue
      try {
        const watcher = watch(folder, { persistent: false }, lookSoon)
        watchers.set(folder, watcher)
        watcher.on('error', () => forget(folder))
      } catch {
        // The folder is not there, or the system has no watches left to give: the poll tries again.
      }
    }
  }
  const forget = (folder: string): void => {
    watchers.get(folder)?.close()
    watchers.delete(folder)
  }

  watchFolders()
  lookSoon()
  const poll = setInterval(lookSoon, pollMs).unref()
  return {
    setFiles: (files) => {
      known = files
      candidate = undefined
      watchFolders()
      lookSoon()
    },
    close: async () => {
      isClosed = true
      clearInterval(poll)
      clearTimeout(timer)
      for (const folder of watchers.keys()) forget(folder)
      await looking
    },
  }
}

function areEqual(a: FileHashes, b: FileHashes): boolean {
  return a.size === b.size && [...a].every(([path, hash]) => b.get(path) === hash)
}
