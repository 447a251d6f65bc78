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

/** `onChange` is called once for all changes of a moment. Does not keep the process alive. */
export function watchFiles(files: FileHashes, onChange: () => void, times: WatchTimes = {}): FileWatch {
  return new FileWatch(files, onChange, times)
}

export class FileWatch {
  readonly #onChange: () => void
  readonly #settleMs: number
  readonly #watchers = new Map<string, FSWatcher>()
  readonly #poll: NodeJS.Timeout
  #known: FileHashes
  /** A change that was seen once; it is told when it is seen again unchanged. */
  #candidate: FileHashes | undefined
  #timer: NodeJS.Timeout | undefined
  #looking = Promise.resolve()
  #isClosed = false

  constructor(files: FileHashes, onChange: () => void, { settleMs = 1000, pollMs = 30_000 }: WatchTimes) {
    this.#known = files
    this.#onChange = onChange
    this.#settleMs = settleMs
    this.#poll = setInterval(() => this.#lookSoon(), pollMs).unref()
    this.#watchFolders()
    this.#lookSoon()
  }

  /** Watches these instead. Hashes as they were when the files were used: a change since then is told, too. */
  setFiles(files: FileHashes): void {
    this.#known = files
    this.#candidate = undefined
    this.#watchFolders()
    this.#lookSoon()
  }

  /** When it resolves, `onChange` is not called again. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearInterval(this.#poll)
    clearTimeout(this.#timer)
    for (const folder of this.#watchers.keys()) this.#forget(folder)
    await this.#looking
  }

  /** Not put off by further events: something else in the folder may change all the time. */
  #lookSoon(): void {
    if (this.#isClosed) return
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#looking = this.#looking.then(() => this.#look())
    }, this.#settleMs).unref()
  }

  async #look(): Promise<void> {
    this.#watchFolders()
    const against = this.#known
    const current = await hashFiles(against.keys())
    if (this.#isClosed || against !== this.#known) return
    if (areEqual(current, against)) this.#candidate = undefined
    else if (this.#candidate !== undefined && areEqual(current, this.#candidate)) {
      this.#known = current
      this.#candidate = undefined
      this.#onChange()
    } else {
      this.#candidate = current
      this.#lookSoon()
    }
  }

  #watchFolders(): void {
    const folders = new Set([...this.#known.keys()].map((path) => dirname(path)))
    for (const folder of this.#watchers.keys()) if (!folders.has(folder)) this.#forget(folder)
    for (const folder of folders) {
      if (this.#watchers.has(folder)) continue
      try {
        const watcher = watch(folder, { persistent: false }, () => this.#lookSoon())
        this.#watchers.set(folder, watcher)
        watcher.on('error', () => this.#forget(folder))
      } catch {
        // The folder is not there, or the system has no watches left to give: the poll tries again.
      }
    }
  }

  #forget(folder: string): void {
    this.#watchers.get(folder)?.close()
    this.#watchers.delete(folder)
  }
}

function areEqual(a: FileHashes, b: FileHashes): boolean {
  return a.size === b.size && [...a].every(([path, hash]) => b.get(path) === hash)
}
