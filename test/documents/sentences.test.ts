/** That the pages which are read first are read easily: no sentence of more than 30 words. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { countWords, sentencesOf } from './sentences.ts'

const ROOT = join(import.meta.dirname, '../..')
const MAX_WORDS = 30

it.each(['README.md', 'docs/for-app-makers.md'])('%s has no sentence of more than 30 words', (path) => {
  const sentences = sentencesOf(readFileSync(join(ROOT, path), 'utf8'))
  expect(sentences.length).toBeGreaterThan(50)
  const long = sentences.filter((sentence) => countWords(sentence) > MAX_WORDS)
  expect(long.map((sentence) => `${countWords(sentence)} words: ${sentence}`)).toEqual([])
})

describe('a sentence', () => {
  it.each([
    ['a text over two lines', 'One two\nthree. Four', ['One two three.', 'Four']],
    ['a heading, which ends itself', '# One\nTwo three.', ['One', 'Two three.']],
    ['each entry of a list', '- One.\n- Two\n  three\n\n1. Four', ['One.', 'Two three', 'Four']],
    ['each cell of a table', '| One | Two. Three |\n| --- | ---: |\n| four | |', ['One', 'Two.', 'Three', 'four']],
    ['what ends in bold or in brackets', '**One.** Two (three.) Four', ['**One.**', 'Two (three.)', 'Four']],
    ['one that a colon divides', 'One: two; three.', ['One: two; three.']],
    ['a name with dots in it', 'At push.example.com, 3.5 times.', ['At push.example.com, 3.5 times.']],
    ['no code between paragraphs', 'One:\n\n```sh\ntwo. three\n```\n\nFour.', ['One:', 'Four.']],
    ['no comment', 'One.\n\n<!-- two. three -->', ['One.']],
  ])('is %s', (_, markdown, expected) => {
    expect(sentencesOf(markdown)).toEqual(expected)
  })

  it('has a piece of code as one word, and of a link what it shows', () => {
    const [sentence = ''] = sentencesOf('Type `npx hushgate start --config a. b`, as [said there](other.md) – or not.')
    expect(countWords(sentence)).toBe(7)
  })
})
