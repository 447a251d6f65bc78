/**
 * As much of HPACK (RFC 7541) as the simulators need: their own answers, and the path of a request without the tables that a whole decoder keeps. The
 * paths are written so that this is possible.
 */

/** The ten signs that HPACK's Huffman code writes in five bits each, in the order of their codes (RFC 7541, appendix B). */
const FIVE_BIT_SIGNS = '012aceiost'
/** The code of '/', six bits. */
const SLASH_BITS = 6
const PATH_DIGITS = 10
const NAME_PATH = 4
const INDEXED_STATUS_200 = 0x88
const NAME_STATUS = 8

/** The path of a device with this number. */
export function pathOfNumber(number: number): string {
  const digits = String(number).padStart(PATH_DIGITS, '0')
  return `/${digits.replaceAll(/\d/g, (digit) => FIVE_BIT_SIGNS.charAt(Number(digit)))}`
}

/** The number of the device in a path, as it is written over HTTP/1.1. */
export function numberOfPath(path: string): number {
  return Number(path.slice(1).replaceAll(/./g, (sign) => String(FIVE_BIT_SIGNS.indexOf(sign))))
}

export function statusBlock(status: number, headers: Readonly<Record<string, string>>): Buffer {
  const first =
    status === 200 ? Buffer.of(INDEXED_STATUS_200) : Buffer.concat([Buffer.of(NAME_STATUS), text(String(status))])
  const others = Object.entries(headers).flatMap(([name, value]) => [Buffer.of(0), text(name), text(value)])
  return Buffer.concat([first, ...others])
}

/** Shorter than 127 bytes. */
function text(value: string): Buffer {
  return Buffer.concat([Buffer.of(value.length), Buffer.from(value)])
}

/** The number of the device in the path of a request; undefined when it has another path. */
export function numberInBlock(block: Buffer): number | undefined {
  let offset = 0
  const integer = (prefixBits: number): number => {
    const limit = 2 ** prefixBits - 1
    let value = block.readUInt8(offset++) & limit
    if (value < limit) return value
    for (let factor = 1; ; factor *= 128) {
      const byte = block.readUInt8(offset++)
      value += (byte & 127) * factor
      if (byte < 128) return value
    }
  }
  const string = (): { readonly isHuffman: boolean; readonly bytes: Buffer } => {
    const isHuffman = block.readUInt8(offset) >= 128
    const length = integer(7)
    offset += length
    return { isHuffman, bytes: block.subarray(offset - length, offset) }
  }
  while (offset < block.length) {
    const byte = block.readUInt8(offset)
    if (byte >= 128) integer(7)
    else if (byte >= 32 && byte < 64) integer(5)
    else {
      const name = integer(byte >= 64 ? 6 : 4)
      if (name === 0) string()
      const { isHuffman, bytes } = string()
      if (name === NAME_PATH) return isHuffman ? numberInHuffman(bytes) : numberOfPath(bytes.toString())
    }
  }
  return undefined
}

function numberInHuffman(bytes: Buffer): number {
  let number = 0
  for (let digit = 0, bit = SLASH_BITS; digit < PATH_DIGITS; digit += 1, bit += 5) {
    const pair = (bytes.readUInt8(bit >> 3) << 8) | (bytes[(bit >> 3) + 1] ?? 0)
    number = number * 10 + ((pair >> (11 - (bit & 7))) & 31)
  }
  return number
}
