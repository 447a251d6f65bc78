import { describe, expect, it } from 'vitest'
import { ConnectionFault } from '../../../../src/providers/shared/http2/frames.ts'
import { HpackDecoder } from '../../../../src/providers/shared/http2/hpack-decoder.ts'
import { decodeHuffman } from '../../../../src/providers/shared/http2/huffman.ts'

const NAMES = [
  ':status',
  'cache-control',
  'date',
  'location',
  'content-encoding',
  'set-cookie',
  'x',
  ':method',
  ':path',
]

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(' ', ''), 'hex')
}

function decoder(): (text: string) => Record<string, string> {
  const one = new HpackDecoder(new Set(NAMES))
  return (text) => {
    const bytes = hex(text)
    return Object.fromEntries(one.decode(bytes, 0, bytes.length))
  }
}

const location = 'https://www.example.com'
const first = { ':status': '302', 'cache-control': 'private', date: 'Mon, 21 Oct 2013 20:13:21 GMT', location }
const last = {
  ...first,
  ':status': '200',
  date: 'Mon, 21 Oct 2013 20:13:22 GMT',
  'content-encoding': 'gzip',
  'set-cookie': 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1',
}

describe('the decoder of HPACK', () => {
  // A table of 256 bytes, so that entries are evicted: these begin with that (RFC 7541 §6.3).
  it.each([
    [
      'as they are (RFC 7541, C.5)',
      '3fe101 4803333032 580770726976617465 611d4d6f6e2c203231204f637420323031332032303a31333a323120474d54 6e1768747470733a2f2f7777772e6578616d706c652e636f6d',
      '4803333037 c1c0bf',
      '88c1 611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54 c0 5a04677a6970 7738666f6f3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31',
    ],
    [
      'in Huffman code (RFC 7541, C.6)',
      '3fe101 488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3',
      '4883640effc1c0bf',
      '88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007',
    ],
  ])('reads the examples with strings %s', (_how, ...heads) => {
    const decode = decoder()
    expect(heads.map((head) => decode(head))).toEqual([first, { ...first, ':status': '307' }, last])
  })

  it('reads fields that must not be in a table, and passes over those that nobody wants', () => {
    // RFC 7541, C.2.2 and C.2.3, and a field between them.
    const head = '040c2f73616d706c652f70617468 000161 0162 100178 0179'
    expect(decoder()(head)).toEqual({ ':path': '/sample/path', x: 'y' })
  })

  it.each([
    ['an index of nothing', '80'],
    ['an index beyond the table', 'be'],
    ['a name beyond the table', '7e0161'],
    ['an integer without end', 'ffffffffff7f'],
    ['an integer that is cut off', 'ff'],
    ['a string that is cut off', '000161 0561'],
    ['a name that is cut off', '0005'],
    ['a larger table than was allowed', '3fe21f'],
    ['a string with the end of strings in it', '4001 78 84 3fffffff'],
    ['a string that ends in zeros', '400178 8110'],
    ['a string that ends in a byte of ones', '400178 821fff'],
  ])('refuses %s', (_what, head) => {
    expect(() => decoder()(head)).toThrow(ConnectionFault)
  })

  it('keeps nothing in a table of no bytes, nor what is larger than the table', () => {
    expect(() => decoder()('20 400178 0179 be')).toThrow(ConnectionFault)
    const decode = decoder()
    expect(decode(`400178 0179 be 3f00 4001787f01${'61'.repeat(128)}`)).toEqual({ x: 'a'.repeat(128) })
    expect(() => decode('be')).toThrow(ConnectionFault)
  })
})

describe('Huffman code', () => {
  it('is read, whatever its length', () => {
    // RFC 7541, appendix B.
    const codes: readonly (readonly [byte: number, code: string])[] = [
      [0x30, '00000'],
      [0x20, '010100'],
      [0x3a, '1011100'],
      [0x26, '11111000'],
      [0x21, '1111111000'],
      [0x27, '11111111010'],
      [0x23, '111111111010'],
      [0x00, '1111111111000'],
      [0x5b, '1111111111011'],
      [0x5e, '11111111111100'],
      [0x7b, '111111111111110'],
      [0x5c, '1111111111111110000'],
      [0x0a, '111111111111111111111111111100'],
    ]
    for (const [byte, code] of codes) {
      const bits = code.padEnd(Math.ceil(code.length / 8) * 8, '1')
      const bytes = Buffer.from((bits.match(/.{8}/g) ?? []).map((each) => Number.parseInt(each, 2)))
      expect([byte, decodeHuffman(bytes, 0, bytes.length).charCodeAt(0)]).toEqual([byte, byte])
    }
  })
})
