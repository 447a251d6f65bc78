/** What an intruder carries off: the files of the store byte for byte and read as what they are, the log, the metrics. Not the key file. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Redis } from 'ioredis'
import type { TestRedis } from '../helpers/redis.ts'

export interface Loot {
  /** All that was found, byte for byte. */
  readonly bytes: Buffer
  /** The same as records: a row, a key with its value, a line of the log. What is in one record belongs together. */
  readonly records: readonly string[]
  /** Everything that is sealed, with the app that it stands beside. */
  readonly sealed: readonly { readonly app: string; readonly bytes: Buffer }[]
}

/** While the gateway runs it has the file for itself, so only its bytes can be had. */
export async function bytesOfSqlite(folder: string): Promise<Buffer> {
  const names = (await readdir(folder)).filter((name) => name.startsWith('hushgate.db'))
  return Buffer.concat(await Promise.all(names.map((name) => readFile(join(folder, name)))))
}

/** After the gateway was stopped. */
export async function lootSqlite(folder: string): Promise<Loot> {
  const bytes = await bytesOfSqlite(folder)
  using database = new DatabaseSync(join(folder, 'hushgate.db'))
  const sealed: { app: string; bytes: Buffer }[] = []
  const records = ['delivery', 'dead_letter', 'memory'].flatMap((table) =>
    database
      .prepare(`select * from ${table}`)
      .all()
      .map((row) => {
        const { sealed: blob, ...rest } = row
        if (blob instanceof Uint8Array) sealed.push({ app: String(row['app']), bytes: Buffer.from(blob) })
        return `${table} ${Object.values(rest).join(' ')}`
      }),
  )
  return { bytes, records, sealed }
}

/** A dump (RDB) beside the append-only files, and every key as it can be read. */
export async function lootRedis(redis: TestRedis): Promise<Loot> {
  const client = await redis.client()
  await client.call('SAVE')
  const sealed: { app: string; bytes: Buffer }[] = []
  const records: string[] = []
  for (const key of await client.keys('*')) {
    const text = (await entriesOf(client, key)).map((entry) => entry.toString('latin1')).join(' ')
    records.push(`${key} ${text.replaceAll(SEALED, '')}`)
    const app = decodeURIComponent(/\{hushgate:([^}:]+)/.exec(key)?.[1] ?? '')
    for (const [found] of text.matchAll(SEALED)) sealed.push({ app, bytes: Buffer.from(found, 'base64') })
  }
  const files = await redis.appendOnlyFiles()
  return { bytes: Buffer.concat([files, Buffer.from(records.join('\n'), 'latin1')]), records, sealed }
}

/** As base64: `src/core/keyring.ts` begins with a byte 1. */
const SEALED = /(?<![A-Za-z0-9+/])A[Q-Za-f][A-Za-z0-9+/]{1000,}={0,2}/g

async function entriesOf(client: Redis, key: string): Promise<Buffer[]> {
  switch (await client.type(key)) {
    case 'string':
      return [(await client.getBuffer(key)) ?? Buffer.alloc(0)]
    case 'hash':
      return Object.entries(await client.hgetall(key))
        .flat()
        .map(asBuffer)
    case 'list':
      return client.lrangeBuffer(key, 0, -1)
    case 'set':
      return client.smembersBuffer(key)
    case 'zset':
      return (await client.zrange(key, '0', '-1', 'WITHSCORES')).map(asBuffer)
    default:
      return [asBuffer(JSON.stringify(await client.xrange(key, '-', '+')))]
  }
}

/** The log a line a record, and the metrics. */
export function withReports(
  { bytes, records, sealed }: Loot,
  log: string,
  ...others: readonly (string | Buffer)[]
): Loot {
  return {
    bytes: Buffer.concat([bytes, ...[log, ...others].map((each) => Buffer.from(each))]),
    records: [...records, ...log.split('\n')],
    sealed,
  }
}

function asBuffer(text: string): Buffer {
  return Buffer.from(text)
}
