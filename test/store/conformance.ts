/** What every store must do, in sentences; SQLite and Redis both run it. Says nothing about how. */
import { afterEach, beforeEach, describe } from 'vitest'
import type { Keyring } from '../../src/core/keyring.ts'
import type { Store } from '../../src/store/contract.ts'
import { createKeyring } from '../helpers/delivery.ts'
import { forgetConformance } from './conformance-forget.ts'
import { memoryConformance } from './conformance-memory.ts'
import { queueConformance } from './conformance-queue.ts'
import { routeConformance } from './conformance-routes.ts'

export interface StoreOptions {
  readonly keyring: Keyring
  /** The real time plus what a test lets pass. Only ever moved by days (lifetime of dead letters): what is short is awaited for real. */
  readonly nowMs: () => number
}

/** The data of one store, empty at first, which outlives the process that has it open. */
export interface StoreData {
  /** Opens it; only ever called when it is closed. */
  open(options: StoreOptions): Promise<Store>
  /** Everything that is kept outside of this process, raw, while the store is open. */
  bytes(): Promise<Buffer>
  /** Called when the store is closed. */
  remove(): Promise<void>
}

/** What a test works with. */
export interface Bench {
  readonly data: StoreData
  readonly options: StoreOptions
  store: Store
  letPass(ms: number): void
  /** As after a restart: closes the store and opens it over the same data. */
  reopen(): Promise<void>
}

export function storeConformance(name: string, createData: () => Promise<StoreData>): void {
  describe(`${name} as a store`, () => {
    let bench: Bench

    beforeEach(async () => {
      let passedMs = 0
      const data = await createData()
      const options = { keyring: createKeyring(), nowMs: () => Date.now() + passedMs }
      bench = {
        data,
        options,
        store: await data.open(options),
        letPass: (ms) => {
          passedMs += ms
        },
        reopen: async () => {
          await bench.store.close()
          bench.store = await data.open(options)
        },
      }
    })

    afterEach(async () => {
      await bench.store.close()
      await bench.data.remove()
    })

    queueConformance(() => bench)
    routeConformance(() => bench)
    forgetConformance(() => bench)
    memoryConformance(() => bench)
  })
}
