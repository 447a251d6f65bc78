/** Writes notes into the memory, sealed: one command for all of a shard, on the connection on which the completion of their job follows. */
import type { Keyring } from '../../core/keyring.ts'
import type { Note, Owner } from '../contract.ts'
import { sealNote } from '../note.ts'
import type { Client } from './connection.ts'
import type { Layouts } from './layouts.ts'

export interface OwnedNote {
  readonly owner: Owner
  readonly note: Note
}

export interface NoteParts {
  readonly client: Client
  readonly layouts: Layouts
  readonly keyring: Keyring
  readonly nowMs: () => number
}

/** KEYS; ARGV: value and lifetime of each. */
const SET_NOTES = `
for index, key in ipairs(KEYS) do redis.call('SET', key, ARGV[2 * index - 1], 'PX', ARGV[2 * index]) end
`

export async function writeNotes(
  { client, layouts, keyring, nowMs }: NoteParts,
  notes: readonly OwnedNote[],
): Promise<void> {
  const byShard = Map.groupBy(notes, ({ owner }) => layouts.factShardOf(owner).memoryKeys)
  const written = [...byShard].map(([prefix, ofShard]) => {
    const keys = ofShard.map(({ note }) => prefix + note.key)
    const values = ofShard.flatMap(({ note: { key, text, expiresAtMs } }) => [
      sealNote(keyring, key, text),
      Math.max(1, Math.round(expiresAtMs - nowMs())),
    ])
    return client.eval(SET_NOTES, keys.length, ...keys, ...values)
  })
  await Promise.all(written)
}
