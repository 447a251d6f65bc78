/** HPACK's Huffman code, read (RFC 7541 §5.2). What we send is not compressed by it: that costs more time than its bytes do. */
import { ConnectionFault, ERROR } from './frames.ts'
import { HUFFMAN_BITS } from './hpack-tables.ts'

const END_OF_STRING = 256
const MAX_BITS = 30

interface Code {
  /** Of each length in bits: the first code, and where its symbol is. */
  readonly first: readonly number[]
  readonly offset: readonly number[]
  readonly count: readonly number[]
  /** In the order of their codes. */
  readonly symbols: readonly number[]
}

let code: Code | undefined

/** The text of these bytes. Throws a ConnectionFault for what no text has. */
export function decodeHuffman(bytes: Buffer, start: number, end: number): string {
  const { first, offset, count, symbols } = (code ??= createCode())
  const text = Buffer.allocUnsafe(Math.ceil(((end - start) * 8) / 5))
  let length = 0
  let [bits, value] = [0, 0]
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at] ?? 0
    for (let shift = 7; shift >= 0; shift -= 1) {
      value = (value << 1) | ((byte >> shift) & 1)
      bits += 1
      const index = value - (first[bits] ?? 0)
      if (index >= 0 && index < (count[bits] ?? 0)) {
        const symbol = symbols[(offset[bits] ?? 0) + index] ?? END_OF_STRING
        if (symbol === END_OF_STRING) throw malformed()
        text[length] = symbol
        length += 1
        bits = value = 0
      } else if (bits === MAX_BITS) throw malformed()
    }
  }
  // The rest is the beginning of the end of the string: ones, and less than a byte of them.
  if (bits > 7 || value !== (1 << bits) - 1) throw malformed()
  return text.toString('latin1', 0, length)
}

function malformed(): ConnectionFault {
  return new ConnectionFault(ERROR.compression, 'a string is not Huffman code')
}

function createCode(): Code {
  const symbols = HUFFMAN_BITS.map((_, symbol) => symbol).sort((a, b) => bitsOf(a) - bitsOf(b) || a - b)
  const count = Array.from({ length: MAX_BITS + 1 }, (_, bits) => HUFFMAN_BITS.filter((each) => each === bits).length)
  const [first, offset] = [[0], [0]]
  for (let bits = 1; bits <= MAX_BITS; bits += 1) {
    const before = count[bits - 1] ?? 0
    first.push(((first[bits - 1] ?? 0) + before) * 2)
    offset.push((offset[bits - 1] ?? 0) + before)
  }
  return { first, offset, count, symbols }
}

function bitsOf(symbol: number): number {
  return HUFFMAN_BITS[symbol] ?? 0
}
