/** Thousands of short byte strings looked for at once: one walk over the bytes, whatever their number. */

export interface Needle {
  readonly name: string
  /** One character per byte (latin1), at least `SHORTEST`. */
  readonly bytes: string
  /** Base64 and raw bytes tell cases apart. Else it is in lower case, and found in any. */
  readonly isCaseSensitive?: boolean | undefined
  /** A part of a longer word, number or ID is none: for what is so short that it stands in those by chance. */
  readonly isWord?: boolean | undefined
}

export interface Found<Each extends Needle> {
  readonly needle: Each
  readonly at: number
  /** What stands around it. */
  readonly context: string
}

const SHORTEST = 4
const CONTEXT_BYTES = 60
/** Far more places than needles, so that most positions are done with after one look. */
const PLACES = 2 ** 22

/** Finds each needle at most once. */
export function createSearch<Each extends Needle>(needles: readonly Each[]): (bytes: Uint8Array) => Found<Each>[] {
  const [exact, inAnyCase] = [true, false].map((wanted) =>
    index(needles.filter(({ isCaseSensitive = false }) => isCaseSensitive === wanted)),
  )
  return (bytes) => {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    return [
      ...(exact === undefined ? [] : walk(buffer, buffer, exact)),
      ...(inAnyCase === undefined ? [] : walk(lowerCase(buffer), buffer, inAnyCase)),
    ]
  }
}

interface Index<Each> {
  readonly isTaken: Uint8Array
  /** By their first four bytes. */
  readonly byStart: ReadonlyMap<number, readonly { readonly needle: Each; readonly whole: Buffer }[]>
}

function index<Each extends Needle>(needles: readonly Each[]): Index<Each> {
  const isTaken = new Uint8Array(PLACES)
  const entries = needles.map((needle) => ({ needle, whole: Buffer.from(needle.bytes, 'latin1') }))
  for (const { needle, whole } of entries)
    if (whole.length < SHORTEST) throw new RangeError(`${needle.name} is too short to be looked for`)
  const byStart = Map.groupBy(entries, ({ whole }) => whole.readUInt32BE(0))
  for (const start of byStart.keys()) isTaken[place(start)] = 1
  return { isTaken, byStart }
}

function walk<Each extends Needle>(
  haystack: Buffer,
  original: Buffer,
  { isTaken, byStart }: Index<Each>,
): Found<Each>[] {
  const found = new Map<Each, Found<Each>>()
  let start = 0
  for (let end = 0; end < haystack.length; end += 1) {
    start = ((start << 8) | (haystack[end] ?? 0)) >>> 0
    const at = end - SHORTEST + 1
    if (at < 0 || isTaken[place(start)] === 0) continue
    for (const { needle, whole } of byStart.get(start) ?? []) {
      const stop = at + whole.length
      if (found.has(needle) || haystack.compare(whole, 0, whole.length, at, Math.min(stop, haystack.length)) !== 0)
        continue
      if (needle.isWord === true && (isOfWord(haystack[at - 1]) || isOfWord(haystack[stop]))) continue
      const context = original.toString('latin1', Math.max(0, at - CONTEXT_BYTES), stop + CONTEXT_BYTES)
      found.set(needle, { needle, at, context })
    }
  }
  return [...found.values()]
}

/** Letters, digits and what UUIDs have between them. */
function isOfWord(byte: number | undefined): boolean {
  return byte !== undefined && /[\dA-Za-z-]/.test(String.fromCharCode(byte))
}

function place(start: number): number {
  return (Math.imul(start, 0x9e3779b1) >>> 10) % PLACES
}

/** Of ASCII alone: whatever else is in it stays as it is, and where it is. */
function lowerCase(bytes: Buffer): Buffer {
  return Buffer.from(bytes.map((byte) => (byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte)))
}
