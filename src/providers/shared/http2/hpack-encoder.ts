/**
 * HPACK, written (RFC 7541): the fields of a request. A name is in the table from its first use on, so that it is not sent again; a value is as soon as it
 * comes a second time. What is new with each request (path, IDs) does not push out what stays.
 */
import { STATIC_FIELDS } from './hpack-tables.ts'
import type { Output } from './output.ts'

/** What we use of the peer's table; also what a peer has that does not say (RFC 9113 §6.5.2). */
const TABLE_BYTES = 4096
/** What an entry costs besides its text (RFC 7541 §4.1). */
const ENTRY_BYTES = 32
/** The most that an integer takes, of a field index and its two lengths, and of the sizes of the table. */
const AROUND_FIELD_BYTES = 15
const AROUND_HEAD_BYTES = 10
/** RFC 9110 §5.6.2 and §5.5, RFC 9113 §8.2.1. */
const NAME = /^:?[!#$%&'*+\-.^_`|~0-9a-z]+$/
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

/** What is known of a name on this connection. */
interface Known {
  readonly name: string
  /** Its index in the static table; 0: none. */
  readonly staticIndex: number
  /** The values that the static table has, with their indexes. */
  readonly staticValues: ReadonlyMap<string, number>
  /** Its newest entry: the how manyth of all, and its value. */
  entry: number
  entryValue: string
  lastValue: string | undefined
}

interface Entry {
  readonly known: Known
  readonly bytes: number
}

export class HpackEncoder {
  readonly #known = new Map<string, Known>()
  /** The dynamic table, the oldest first. */
  #entries: Entry[] = []
  /** Entries that were ever made. */
  #made = 0
  #tableBytes = 0
  #maxTableBytes = TABLE_BYTES
  /** The smallest size since the last head, where it was changed. */
  #leastTableBytes: number | undefined

  /** How much the peer keeps from now on. */
  setTableBytes(bytes: number): void {
    const most = Math.min(bytes, TABLE_BYTES)
    if (most === this.#maxTableBytes) return
    this.#leastTableBytes = Math.min(this.#leastTableBytes ?? most, most)
    this.#maxTableBytes = most
    this.#evict(0)
  }

  /** `fields`: names, in lower case, and values in turn. Whether they may be sent; else nothing is changed. */
  canEncode(fields: readonly string[]): boolean {
    for (let index = 0; index < fields.length; index += 2) {
      const name = fields[index] ?? ''
      if (!this.#known.has(name) && !NAME.test(name)) return false
      if (!VALUE.test(fields[index + 1] ?? '')) return false
    }
    return true
  }

  /** The most that they take. */
  maxBytes(fields: readonly string[]): number {
    let bytes = AROUND_HEAD_BYTES
    for (let index = 0; index < fields.length; index += 2)
      bytes += (fields[index] ?? '').length + (fields[index + 1] ?? '').length + AROUND_FIELD_BYTES
    return bytes
  }

  /** Writes them into the room that was reserved. The peer must get them: its table changes with ours. */
  encode(output: Output, fields: readonly string[]): void {
    if (this.#leastTableBytes !== undefined) {
      // RFC 7541 §4.2: the smallest, then the last.
      writeInteger(output, 0x20, 5, this.#leastTableBytes)
      if (this.#leastTableBytes !== this.#maxTableBytes) writeInteger(output, 0x20, 5, this.#maxTableBytes)
      this.#leastTableBytes = undefined
    }
    for (let index = 0; index < fields.length; index += 2)
      this.#encodeField(output, this.#knownOf(fields[index] ?? ''), fields[index + 1] ?? '')
  }

  #encodeField(output: Output, known: Known, value: string): void {
    const entryIndex = this.#indexOf(known)
    if (entryIndex > 0 && known.entryValue === value) return writeInteger(output, 0x80, 7, entryIndex)
    const staticIndex = known.staticValues.get(value)
    if (staticIndex !== undefined) return writeInteger(output, 0x80, 7, staticIndex)
    const nameIndex = known.staticIndex > 0 ? known.staticIndex : entryIndex
    const isForTable = nameIndex === 0 || known.lastValue === value
    known.lastValue = value
    const bytes = known.name.length + value.length + ENTRY_BYTES
    if (isForTable && bytes <= this.#maxTableBytes / 2) {
      writeInteger(output, 0x40, 6, nameIndex)
      this.#insert(known, value, bytes)
    } else writeInteger(output, 0, 4, nameIndex)
    if (nameIndex === 0) writeText(output, known.name)
    writeText(output, value)
  }

  /** Where the newest entry of a name is; 0: no more. */
  #indexOf({ entry }: Known): number {
    const age = this.#made - entry
    return entry === 0 || age >= this.#entries.length ? 0 : STATIC_FIELDS.length + 1 + age
  }

  #insert(known: Known, value: string, bytes: number): void {
    this.#evict(bytes)
    this.#entries.push({ known, bytes })
    this.#tableBytes += bytes
    this.#made += 1
    known.entry = this.#made
    known.entryValue = value
  }

  /** Makes room for so many. */
  #evict(bytes: number): void {
    let count = 0
    for (; this.#tableBytes + bytes > this.#maxTableBytes && count < this.#entries.length; count += 1)
      this.#tableBytes -= this.#entries[count]?.bytes ?? 0
    if (count > 0) this.#entries = this.#entries.slice(count)
  }

  #knownOf(name: string): Known {
    let known = this.#known.get(name)
    if (known === undefined) {
      known = createKnown(name)
      this.#known.set(name, known)
    }
    return known
  }
}

function createKnown(name: string): Known {
  const staticValues = new Map<string, number>()
  let staticIndex = 0
  for (const [index, [staticName, value]] of STATIC_FIELDS.entries()) {
    if (staticName !== name) continue
    if (staticIndex === 0) staticIndex = index + 1
    if (value !== '') staticValues.set(value, index + 1)
  }
  return { name, staticIndex, staticValues, entry: 0, entryValue: '', lastValue: undefined }
}

/** RFC 7541 §5.1. */
function writeInteger(output: Output, flags: number, prefixBits: number, value: number): void {
  const most = (1 << prefixBits) - 1
  const { bytes } = output
  if (value < most) {
    bytes[output.at] = flags | value
    output.at += 1
    return
  }
  bytes[output.at] = flags | most
  output.at += 1
  for (let rest = value - most; ; rest >>>= 7) {
    bytes[output.at] = rest < 0x80 ? rest : (rest & 0x7f) | 0x80
    output.at += 1
    if (rest < 0x80) return
  }
}

function writeText(output: Output, text: string): void {
  writeInteger(output, 0, 7, text.length)
  output.at += output.bytes.write(text, output.at, 'latin1')
}
