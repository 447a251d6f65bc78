/** A real SQLite store in a folder of its own, for fast tests of what stands on a store: a tenth of a second to open, a few milliseconds to ask. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Keyring } from '../../src/core/keyring.ts'
import type { Store } from '../../src/store/contract.ts'
import { openSqliteStore } from '../../src/store/sqlite/open.ts'
import { createKeyring } from './delivery.ts'

export interface TestStore extends AsyncDisposable, Pick<Store, 'queue' | 'memory'> {
  readonly store: Store
  readonly keyring: Keyring
}

export async function openTestStore(nowMs: () => number): Promise<TestStore> {
  const folder = await mkdtemp(join(tmpdir(), 'hushgate-store-'))
  const keyring = createKeyring()
  // No test cuts the power; waiting for the disk is what would take long where others use it, too.
  const store = await openSqliteStore({
    path: join(folder, 'hushgate.db'),
    synchronous: 'NORMAL',
    keyring,
    nowMs,
    // Whoever asked it is told as well.
    onError: () => {},
  })
  return {
    store,
    queue: store.queue,
    memory: store.memory,
    keyring,
    async [Symbol.asyncDispose]() {
      await store.close()
      await rm(folder, { recursive: true })
    },
  }
}
