import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createKeyFile, Keyring, parseKeyFile } from '../../src/core/keyring.ts'
import { StoreRefusedError, StoreUnavailableError } from '../../src/core/errors.ts'
import type { Disposition, Store } from '../../src/store/contract.ts'
import { blob, integer } from '../../src/store/sqlite/rows.ts'
import { openSqliteStore, type SqliteStoreOptions } from '../../src/store/sqlite/open.ts'
import { createDeliveries, createDelivery, createKeyring } from '../helpers/delivery.ts'
import { createGate, ACKNOWLEDGE, Received, until } from '../helpers/received.ts'
import { storeConformance } from './conformance.ts'

const ROUTE = 'com.example.app'

storeConformance('SQLite', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'hushgate-sqlite-'))
  return {
    open: (options) =>
      openSqliteStore({
        path: join(folder, 'hushgate.db'),
        // No test cuts the power, and a busy disk takes long to sync.
        synchronous: 'NORMAL',
        onError: (message) => {
          throw new Error(message)
        },
        ...options,
      }),
    bytes: async () => {
      const names = await readdir(folder)
      return Buffer.concat(await Promise.all(names.map((name) => readFile(join(folder, name)))))
    },
    remove: () => rm(folder, { recursive: true }),
  }
})

describe('a SQLite store', () => {
  let folder: string
  let path: string
  let errors: string[]
  let passedMs: number
  const keyring = createKeyring()
  const opened: Store[] = []

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hushgate-sqlite-'))
    path = join(folder, 'data', 'hushgate.db')
    errors = []
    passedMs = 0
  })

  afterEach(async () => {
    for (const store of opened.splice(0)) await store.close()
    await rm(folder, { recursive: true })
  })

  async function open(options: Partial<SqliteStoreOptions> = {}): Promise<Store> {
    const nowMs = (): number => Date.now() + passedMs
    const onError = (message: string): void => void errors.push(message)
    const store = await openSqliteStore({ path, keyring, nowMs, onError, ...options })
    opened.push(store)
    return store
  }

  describe('as a file', () => {
    it('creates its folder and its files for its own user only', async () => {
      const store = await open()
      await store.queue.add([createDelivery()])
      expect(((await stat(join(folder, 'data'))).mode & 0o777).toString(8)).toBe('700')
      const names = await readdir(join(folder, 'data'))
      expect(names.toSorted()).toEqual(['hushgate.db', 'hushgate.db-wal'])
      for (const name of names) expect(((await stat(join(folder, 'data', name))).mode & 0o777).toString(8)).toBe('600')
    })

    it('refuses a second process, in a sentence', async () => {
      await open()
      const child = startChild(path, await createKeys(folder))
      const lines = await readLines(child, () => false)
      expect(lines).toEqual([
        `refused StoreRefusedError: ${path} is in use by another Hushgate: only one process can use a SQLite store, several need Redis`,
      ])
    })

    it.each([
      { what: 'of a newer Hushgate', pragma: 'user_version = 99', says: 'was written by a newer Hushgate' },
      { what: 'of another program', pragma: 'user_version = 0', says: 'is the database of another program' },
    ])('refuses the file $what', async ({ pragma, says }) => {
      await (await open()).close()
      const database = new DatabaseSync(path)
      database.exec(`pragma ${pragma}`)
      database.close()
      await expect(open()).rejects.toThrow(`${path} ${says}`)
      await expect(open()).rejects.toBeInstanceOf(StoreRefusedError)
    })

    it('refuses a file that is no database, and a path where no file can be', async () => {
      await writeFile(join(folder, 'text'), 'this is no database, it is a text '.repeat(100))
      await expect(open({ path: join(folder, 'text') })).rejects.toThrow('is not a SQLite database')
      await expect(open({ path: folder })).rejects.toThrow(`${folder} cannot be opened: EISDIR`)
      await expect(open({ path: join(folder, 'text', 'db') })).rejects.toThrow(/cannot be opened: E(NOTDIR|EXIST)/)
    })

    it('is searched also for what an older Hushgate stored, and for what cannot be opened', async () => {
      const deliveries = ['wanted', 'wanted', 'wanted', 'else'].map((deviceHash) => createDelivery({ deviceHash }))
      const store = await open()
      for (const delivery of deliveries) await store.queue.add([delivery])
      await store.close()
      const database = new DatabaseSync(path)
      const [older = {}, broken = {}] = database.prepare('select seq, sealed from delivery order by seq').all()
      const update = database.prepare('update delivery set sealed = ? where seq = ?')
      const envelope = JSON.parse(keyring.open(blob(older, 'sealed'), ROUTE).toString())
      const ofOlder = JSON.stringify({ v: envelope.v, deliveries: envelope.deliveries })
      update.run(keyring.seal(Buffer.from(ofOlder), ROUTE), integer(older, 'seq'))
      update.run(randomBytes(1000), integer(broken, 'seq'))
      database.close()
      const held = await (await open()).queue.search(ROUTE, 'wanted')
      expect(held.deliveries.map(({ id }) => id)).toEqual([deliveries[0]?.id, deliveries[2]?.id])
      expect(held.unreadable).toBe(1)
    })

    it('becomes small again when a backlog is gone', async () => {
      const { queue } = await open({ synchronous: 'NORMAL', emptyLogEveryMs: 100 })
      const message = { headers: {}, body: 'x'.repeat(4000) }
      for (let count = 0; count < 5000; count += 500) await queue.add(createDeliveries(500, { message }))
      const bytes = async (): Promise<number> => (await stat(path)).size
      await until('the log is emptied into the file', async () => (await bytes()) > 20e6)
      queue.consume(ROUTE, 200, new Received().handler)
      await until('the file is small', async () => (await bytes()) < 10e6)
    })

    it('soon holds nothing any more of what was deleted, and neither does its log', async () => {
      const { memory } = await open({ emptyLogEveryMs: 100 })
      const isOnDisk = async (key: string): Promise<boolean> => {
        const files = await Promise.all([path, `${path}-wal`].map((file) => readFile(file)))
        return files.some((content) => content.includes(key))
      }
      const owner = { route: ROUTE, deviceHash: 'device' }
      await memory.set(owner, 'remembered', 'value', 60_000)
      expect(await isOnDisk('remembered')).toBe(true)
      await memory.delete(owner, 'remembered')
      await until('it is gone', async () => !(await isOnDisk('remembered')))
    })
  })

  describe('when it cannot store', () => {
    it('refuses new deliveries while it is full, goes on with those that it has, and then accepts again', async () => {
      const store = await open({ maxBytes: 1_000_000, synchronous: 'NORMAL' })
      const { queue } = store
      const accepted: string[] = []
      const add = async (): Promise<void> => {
        const delivery = createDelivery({ message: { headers: {}, body: 'x'.repeat(3000) } })
        await queue.add([delivery])
        accepted.push(delivery.id)
      }
      const refusal: unknown = await (async () => {
        for (;;) await add()
      })().catch((error: unknown) => error)
      expect(refusal).toBeInstanceOf(StoreUnavailableError)
      expect(accepted.length).toBeGreaterThan(100)
      expect(store.health().writable).toBe(false)
      expect(errors).toEqual(['the store failed: database or disk is full'])

      // Adds that are refused travel in the same turns as what becomes of the deliveries handed out.
      const stored = accepted.length
      const received = new Received(async () => {
        if (received.all.length < stored) await add().catch(() => {})
        return ACKNOWLEDGE
      })
      queue.consume(ROUTE, 10, received.handler)
      await received.atLeast(stored)
      await until('deliveries are accepted', () =>
        add().then(
          () => true,
          () => false,
        ),
      )
      await until('it is found writable', () => store.health().writable)
      await until('all are sent', () => accepted.every((id) => received.ids.includes(id)))
      expect(new Set(received.ids).size).toBe(received.ids.length)
    })

    it('does not hold the event loop while it commits', async () => {
      const { queue } = await open()
      const deliveries = createDeliveries(500, { message: { headers: {}, body: 'x'.repeat(4000) } })
      let turns = 0
      let isAdded = false
      const countTurn = (): void => {
        turns += 1
        if (!isAdded) setImmediate(countTurn)
      }
      countTurn()
      await queue.add(deliveries)
      isAdded = true
      expect(turns).toBeGreaterThan(10)
    })

    it('refuses everything once it is closed, and closing twice is the same as once', async () => {
      const store = await open()
      await store.close()
      await store.close()
      await expect(store.queue.add([createDelivery()])).rejects.toBeInstanceOf(StoreUnavailableError)
      await expect(store.memory.get({ route: ROUTE }, 'key')).rejects.toBeInstanceOf(StoreUnavailableError)
    })

    it('keeps what was asked of it before it is closed', async () => {
      const store = await open()
      const added = store.queue.add([createDelivery()])
      await store.close()
      expect(await added).toEqual([1])
      expect((await (await open()).queue.depth(ROUTE)).waiting).toBe(1)
    })
  })

  describe('handing out', () => {
    it('hands out others while the handler of one takes long', async () => {
      const { queue } = await open()
      const stuck = createGate<Disposition>()
      const received = new Received(({ order }) => (order === 1 ? stuck.passed : ACKNOWLEDGE))
      await queue.add(createDeliveries(30))
      queue.consume(ROUTE, 3, received.handler)
      await received.atLeast(30)
      await until('29 are acknowledged', async () => (await queue.depth(ROUTE)).active === 1)
      stuck.open(ACKNOWLEDGE)
    })

    it('keeps what it cannot open: delays it, says so once, and hands it out when the key is back', async () => {
      const deliveries = createDeliveries(3)
      const before = await open()
      await before.queue.add(deliveries)
      await before.close()

      const without = await open({ keyring: createKeyring() })
      const unread = new Received()
      without.queue.consume(ROUTE, 10, unread.handler)
      await until('all are delayed', async () => (await without.queue.depth(ROUTE)).delayed === 3)
      expect(errors).toEqual([
        `${ROUTE}: a stored delivery cannot be read (sealed with a key that is not in the key file); it is kept until it expires`,
      ])
      await without.close()
      expect(unread.all).toEqual([])

      passedMs += 60_000
      const received = new Received()
      ;(await open()).queue.consume(ROUTE, 10, received.handler)
      await received.atLeast(3)
      expect(received.ids.toSorted()).toEqual(deliveries.map(({ id }) => id).toSorted())
      expect(received.all.map(({ attempt }) => attempt)).toEqual([1, 1, 1])
    })

    it('makes a dead letter of what it cannot open and has expired', async () => {
      const before = await open()
      await before.queue.add([createDelivery({ expiresAtMs: Date.now() - 1 })])
      await before.close()
      const { queue } = await open({ keyring: createKeyring() })
      queue.consume(ROUTE, 10, new Received().handler)
      await until('it is a dead letter', async () => (await queue.depth(ROUTE)).dead === 1)
      expect(await queue.listDead({}, 10)).toMatchObject([{ id: 'unreadable-1', reason: 'unreadable', attempts: 0 }])
    })

    it('hands a delivery out again later when its handler fails, which it must not', async () => {
      const { queue } = await open()
      const received = new Received(() => Promise.reject(new Error('a bug')))
      await queue.add([createDelivery()])
      queue.consume(ROUTE, 10, received.handler)
      await until('it is delayed', async () => (await queue.depth(ROUTE)).delayed === 1)
      expect(errors).toEqual([`${ROUTE}: a handler of deliveries failed`])
    })
  })

  it('loses nothing that it accepted when its process is killed, five times over', async () => {
    const keyFile = await createKeys(folder)
    const accepted = new Set<string>()
    const sent = new Set<string>()
    for (let kill = 1; kill <= 5; kill += 1) {
      const lines = await readLines(startChild(path, keyFile), (count) => count >= 400 + Math.random() * 400)
      for (const line of lines) {
        const [word, id = ''] = line.split(' ')
        expect(['accepted', 'sent']).toContain(word)
        if (word === 'accepted') accepted.add(id)
        else sent.add(id)
      }
    }
    const keys = parseKeyFile(await readFile(keyFile, 'utf8'))
    if (!(keys instanceof Keyring)) throw new Error('no keys')
    const { queue } = await open({ keyring: keys })
    const received = new Received()
    queue.consume(ROUTE, 50, received.handler)
    await until('nothing is left', async () => {
      const { waiting, delayed, active } = await queue.depth(ROUTE)
      return waiting + delayed + active === 0
    })
    for (const id of received.ids) sent.add(id)
    expect(accepted.size).toBeGreaterThan(500)
    expect([...accepted].filter((id) => !sent.has(id))).toEqual([])
  })
})

type Child = ChildProcessByStdio<null, Readable, null>

function startChild(path: string, keyFile: string): Child {
  const script = new URL('./sqlite-child.ts', import.meta.url).pathname
  return spawn(process.execPath, [script, path, keyFile], { stdio: ['ignore', 'pipe', 'inherit'] })
}

/** Kills the child as soon as there is enough; resolves with all that it had said by then. */
async function readLines(child: Child, isEnough: (count: number) => boolean): Promise<readonly string[]> {
  const lines: string[] = []
  const closed = once(child, 'close')
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line)
    if (isEnough(lines.length)) child.kill('SIGKILL')
  })
  await closed
  return lines
}

async function createKeys(folder: string): Promise<string> {
  const keyFile = join(folder, 'keys')
  await writeFile(keyFile, createKeyFile())
  return keyFile
}
