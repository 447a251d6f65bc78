/** HPACK, read (RFC 7541): the fields of a head. Only those that somebody wants become text. */
import { ConnectionFault, ERROR } from './frames.ts'
import { STATIC_FIELDS } from './hpack-tables.ts'
import { decodeHuffman } from './huffman.ts'

/** What is taken for the table without our saying so (RFC 9113 §6.5.2). */
const TABLE_BYTES = 4096
/** What an entry costs besides its text (RFC 7541 §4.1). */
const ENTRY_BYTES = 32

interface Field {
  readonly name: string
  readonly value: string
}

/** Where a string is. */
interface Piece {
  readonly isHuffman: boolean
  readonly start: number
  readonly end: number
}

export class HpackDecoder {
  readonly #wanted: ReadonlySet<string>
  /** The dynamic table, the newest last. */
  readonly #entries: Field[] = []
  #tableBytes = 0
  #maxTableBytes = TABLE_BYTES
  #bytes: Buffer = Buffer.of()
  #at = 0
  #end = 0

  constructor(wanted: ReadonlySet<string>) {
    this.#wanted = wanted
  }

  /** The wanted fields of a whole head, of several with one name the last. Throws a ConnectionFault: what follows could not be read either. */
  decode(bytes: Buffer, start: number, end: number): ReadonlyMap<string, string> {
    this.#bytes = bytes
    this.#at = start
    this.#end = end
    const fields = new Map<string, string>()
    while (this.#at < end) this.#readField(fields)
    return fields
  }

  #readField(fields: Map<string, string>): void {
    const byte = this.#bytes[this.#at] ?? 0
    if (byte >= 0x80) {
      const { name, value } = this.#fieldAt(this.#readInteger(7))
      if (this.#wanted.has(name)) fields.set(name, value)
    } else if (byte >= 0x40) {
      const field = { name: this.#readName(6), value: this.#textOf(this.#readPiece()) }
      if (this.#wanted.has(field.name)) fields.set(field.name, field.value)
      this.#insert(field)
    } else if (byte >= 0x20) this.#resize(this.#readInteger(5))
    else {
      const name = this.#readName(4)
      const value = this.#readPiece()
      if (this.#wanted.has(name)) fields.set(name, this.#textOf(value))
    }
  }

  #readName(prefixBits: number): string {
    const index = this.#readInteger(prefixBits)
    return index === 0 ? this.#textOf(this.#readPiece()) : this.#fieldAt(index).name
  }

  #fieldAt(index: number): Field {
    const fixed = STATIC_FIELDS[index - 1]
    if (fixed !== undefined) return { name: fixed[0], value: fixed[1] }
    const entry = this.#entries[this.#entries.length - (index - STATIC_FIELDS.length)]
    if (entry === undefined) throw malformed('an index has no field')
    return entry
  }

  /** RFC 7541 §5.1. */
  #readInteger(prefixBits: number): number {
    const most = (1 << prefixBits) - 1
    let value = this.#readByte() & most
    if (value < most) return value
    for (let shift = 0; shift <= 21; shift += 7) {
      const byte = this.#readByte()
      value += (byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
    throw malformed('an integer is too large')
  }

  #readPiece(): Piece {
    const isHuffman = (this.#bytes[this.#at] ?? 0) >= 0x80
    const length = this.#readInteger(7)
    const start = this.#at
    this.#at += length
    if (this.#at > this.#end) throw malformed('a string is cut off')
    return { isHuffman, start, end: this.#at }
  }

  #readByte(): number {
    if (this.#at >= this.#end) throw malformed('a field is cut off')
    const byte = this.#bytes[this.#at] ?? 0
    this.#at += 1
    return byte
  }

  #textOf({ isHuffman, start, end }: Piece): string {
    return isHuffman ? decodeHuffman(this.#bytes, start, end) : this.#bytes.toString('latin1', start, end)
  }

  #insert(field: Field): void {
    this.#entries.push(field)
    this.#tableBytes += bytesOf(field)
    this.#evict()
  }

  #resize(maxBytes: number): void {
    if (maxBytes > TABLE_BYTES) throw malformed('the table is larger than allowed')
    this.#maxTableBytes = maxBytes
    this.#evict()
  }

  #evict(): void {
    let count = 0
    for (; this.#tableBytes > this.#maxTableBytes; count += 1) {
      const oldest = this.#entries[count]
      this.#tableBytes -= oldest === undefined ? 0 : bytesOf(oldest)
    }
    this.#entries.splice(0, count)
  }
}

function bytesOf({ name, value }: Field): number {
  return name.length + value.length + ENTRY_BYTES
}

function malformed(what: string): ConnectionFault {
  return new ConnectionFault(ERROR.compression, what)
}
