/** How long the sentences of a document in Markdown are. Pure. */

/** Blocks of code, comments for tools, and what divides a table are nobody's sentence. */
const NOT_READ = [/^ *```[^]*?^ *```/gm, /<!--[^]*?-->/g, /^\|(?: *:?-+:? *\|)+$/gm]
/** What begins a text of its own: an empty line, a heading and what is below it, an entry of a list, a row of a table. */
const BEGINNING = /\n\s*\n|\n(?=#{1,6} |\s*(?:[-*]|\d+\.) |\|)|(?<=^#{1,6} .*)\n/m
/** A full stop inside a name (`push.example.com`) or a number ends nothing. */
const END = /(?<=[.!?][)*”"]*)\s+/

/** Each sentence as it is read: a cell of a table is one, or several, a heading one, and a piece of code or a link as many words as it shows. */
export function sentencesOf(markdown: string): readonly string[] {
  const text = NOT_READ.reduce((rest, pattern) => rest.replaceAll(pattern, ''), markdown)
  const parts = text.split(BEGINNING).flatMap((part) => (part.startsWith('|') ? part.split(/(?<!\\)\|/) : [part]))
  return parts.flatMap((part) => shown(part).split(END)).filter((sentence) => countWords(sentence) > 0)
}

export function countWords(sentence: string): number {
  return sentence.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word)).length
}

/** A piece of code is read as one thing. */
function shown(part: string): string {
  return part
    .replaceAll(/`[^`]*`/g, (code) => code.replaceAll(/\s+/g, '·').replaceAll(/[.!?](?=`)/g, ''))
    .replaceAll(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replaceAll(/^\s*(?:#{1,6}|[-*]|\d+\.) /g, '')
    .replaceAll(/\s+/g, ' ')
    .trim()
}
