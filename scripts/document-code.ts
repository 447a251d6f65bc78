/**
 * What the documents give people to paste, for the tests that paste it. What is asked for here counts as run: test/documents/pasted-code.test.ts finds these calls, so
 * both arguments are written out where it is run.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..')

export interface Code {
  /** What stands behind the fence; `undefined` for a piece of code in a sentence. */
  readonly language: string | undefined
  readonly text: string
}

/** Each block of a text in Markdown, also those that are indented, and each piece of code in its sentences, or in a line of its own that is only indented. */
export function codeIn(markdown: string): readonly Code[] {
  const fences = /^( *)```(\S*)\n([^]*?)^ *```$/gm
  const blocks = [...markdown.matchAll(fences)].map(([, indent = '', language = '', text = '']) => ({
    language,
    text: text.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  }))
  const rest = markdown.replaceAll(fences, '')
  const spans = [...rest.matchAll(/`([^`]+)`|^ {4}(\S.*)$/gm)].map(([, span, indented = '']) => span ?? indented)
  return [...blocks, ...spans.map((text) => ({ language: undefined, text: text.replaceAll(/\s+/g, ' ') }))]
}

/** The one block of the document, or the one piece of code in its sentences, that has these words in it. */
export function codeOf(document: string, words: string): string {
  const found = codeIn(readFileSync(join(ROOT, document), 'utf8')).filter(({ text }) => text.includes(words))
  const [one, another] = new Set(found.map(({ text }) => text))
  if (one === undefined || another !== undefined)
    throw new Error(`${document} has not one piece of code with: ${words}`)
  return one
}
