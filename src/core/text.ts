/** Cutting text to a byte budget, in linear time, without leaving half a character behind. */

const ELLIPSIS = '…'
const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' })
/** A grapheme longer than this is no letter a person reads (stacked combining marks): it may be cut at a code point. */
const MAX_GRAPHEME_UNITS = 256

/**
 * `text` unchanged when it fits into `maxCost`, else cut at a grapheme boundary and ended with an ellipsis; '' when not even that fits.
 * `costOf` is what a piece costs (default: UTF-8 bytes); it must be additive over pieces split between graphemes. Nothing beyond about
 * `maxCost` characters is ever looked at, however long the text is.
 */
export function truncate(text: string, maxCost: number, costOf: (piece: string) => number = utf8Bytes): string {
  // Every UTF-16 unit costs at least one byte, so a longer prefix cannot fit and need not be measured.
  if (text.length <= maxCost && costOf(text) <= maxCost) return text
  const budget = maxCost - costOf(ELLIPSIS)
  if (budget < 0) return ''
  const candidate = text.slice(0, budget + MAX_GRAPHEME_UNITS)
  const affordable = longestPrefix(candidate, budget, costOf)
  const end = graphemes.segment(candidate).containing(affordable)?.index ?? 0
  if (end === 0) return cutAtCodePoint(candidate, budget, costOf) + ELLIPSIS
  return candidate.slice(0, end) + ELLIPSIS
}

/** Length of the longest prefix of whole code points that costs at most `budget`. By halves: to walk through all graphemes takes fifty times as long. */
function longestPrefix(text: string, budget: number, costOf: (piece: string) => number): number {
  let fits = 0
  let tooLong = Math.min(text.length, budget + 1)
  while (tooLong - fits > 1) {
    const middle = Math.floor((fits + tooLong) / 2)
    if (costOf(text.slice(0, atCodePoint(text, middle))) <= budget) fits = middle
    else tooLong = middle
  }
  return atCodePoint(text, fits)
}

/** Not between the halves of a surrogate pair. */
function atCodePoint(text: string, index: number): number {
  const isBetween = text.codePointAt(index - 1) !== text.charCodeAt(index - 1) && index > 0
  return isBetween ? index - 1 : index
}

function cutAtCodePoint(text: string, budget: number, costOf: (piece: string) => number): string {
  let cost = 0
  let end = 0
  for (const character of text) {
    cost += costOf(character)
    if (cost > budget) break
    end += character.length
  }
  return text.slice(0, end)
}

/** What a piece costs inside a JSON string, as `JSON.stringify` writes it in UTF-8, without the quotes. */
export function jsonBytes(piece: string): number {
  return Buffer.byteLength(JSON.stringify(piece)) - 2
}

export function utf8Bytes(piece: string): number {
  return Buffer.byteLength(piece)
}
