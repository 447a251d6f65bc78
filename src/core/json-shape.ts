/** How much there is in a JSON text, before it is parsed: what has many members costs a hundred times as much to parse as one long text of the same length. */

const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_BRACKET = 0x5b
const BACKSLASH = 0x5c
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d

export interface JsonShape {
  /** Members of all objects. */
  readonly members: number
  /** Commas: what follows something else, in a list or an object. */
  readonly commas: number
  readonly depth: number
}

/** Of text that is no JSON it means nothing. */
export function shapeOf(text: Uint8Array): JsonShape {
  let members = 0
  let commas = 0
  let depth = 0
  let deepest = 0
  let isInString = false
  for (let at = 0; at < text.length; at += 1) {
    const byte = text[at]
    if (byte === QUOTE) isInString = !isInString
    else if (isInString) {
      if (byte === BACKSLASH) at += 1
    } else if (byte === COMMA) commas += 1
    else if (byte === COLON) members += 1
    else if (byte === OPEN_BRACKET || byte === OPEN_BRACE) {
      depth += 1
      if (depth > deepest) deepest = depth
    } else if (byte === CLOSE_BRACKET || byte === CLOSE_BRACE) depth -= 1
  }
  return { members, commas, depth: deepest }
}
