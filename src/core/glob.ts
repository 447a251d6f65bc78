/**
 * Whether a text fits a glob, both as characters: `*` is any of them, `?` is exactly one. On a mismatch only the last `*` takes one character
 * more: at most glob × text steps, however they are made.
 */
export function matchesGlob(glob: readonly string[], text: readonly string[]): boolean {
  let inGlob = 0
  let inText = 0
  let star = -1
  let starTook = 0
  while (inText < text.length) {
    if (glob[inGlob] === '*') {
      star = inGlob
      starTook = inText
      inGlob += 1
    } else if (glob[inGlob] === '?' || (glob[inGlob] !== undefined && glob[inGlob] === text[inText])) {
      inGlob += 1
      inText += 1
    } else if (star >= 0) {
      starTook += 1
      inText = starTook
      inGlob = star + 1
    } else return false
  }
  return glob.slice(inGlob).every((symbol) => symbol === '*')
}
