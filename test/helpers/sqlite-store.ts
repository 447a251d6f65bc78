/**
 * A real SQLite store in a folder of its own, with the memories that stand on it, built as the gateway builds them: for fast tests. It takes a tenth of
 * a second to open and a few milliseconds to ask, so one serves all tests of a file, each with routes and devices of its own.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Identities } from '../../src/core/identities.ts'
import type { Keyring } from '../../src/core/keyring.ts'
import { DeadPushkeys } from '../../src/memory/dead-pushkeys.ts'
import { Deduplication } from '../../src/memory/deduplication.ts'
import { KnownDevices } from '../../src/memory/known-devices.ts'
import { Receipts } from '../../src/memory/receipts.ts'
import { RejectionGuard } from '../../src/memory/rejection-guard.ts'
import type { Store } from '../../src/store/contract.ts'
import { openSqliteStore } from '../../src/store/sqlite/open.ts'
import { createKeyring } from './delivery.ts'

export interface TestStore extends AsyncDisposable, Pick<Store, 'queue' | 'memory'> {
  readonly store: Store
  readonly keyring: Keyring
  readonly identities: Identities
  readonly guard: RejectionGuard
  readonly known: KnownDevices
  readonly deadPushkeys: DeadPushkeys
  readonly deduplication: Deduplication
  readonly receipts: Receipts
}

export async function openTestStore(nowMs: () => number): Promise<TestStore> {
  const folder = await mkdtemp(join(tmpdir(), 'hushgate-store-'))
  const keyring = createKeyring()
  const store = await openSqliteStore({
    path: join(folder, 'hushgate.db'),
    // No test cuts the power; waiting for the disk is what would take long where others use it, too.
    synchronous: 'NORMAL',
    keyring,
    nowMs,
    // Whoever asked it is told as well.
    onError: () => {},
  })
  const { queue, memory } = store
  const identities = new Identities(keyring)
  const guard = new RejectionGuard(memory, nowMs, () => {})
  const known = new KnownDevices(memory, nowMs)
  return {
    store,
    queue,
    memory,
    keyring,
    identities,
    guard,
    known,
    deadPushkeys: new DeadPushkeys({ memory, guard, known, identities, nowMs }),
    deduplication: new Deduplication(memory),
    receipts: new Receipts({ memory, identities, keyring, nowMs, areKept: () => true }),
    async [Symbol.asyncDispose]() {
      await store.close()
      await rm(folder, { recursive: true })
    },
  }
}
