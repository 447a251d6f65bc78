/** What comments and documents name, and whether it is there: files, headings of documents, recorded cases. Pure. */
import { matchesGlob, posix } from 'node:path'

export interface Repository {
  /** Every file, from the root of the project. */
  readonly paths: ReadonlySet<string>
  readonly read: (path: string) => string
  /** The recorded cases of Sygnal by name. */
  readonly cases: ReadonlySet<string>
}

/** Working papers that are not in the repository: nobody could look up what they say. */
const FOREIGN = /(?<!docs\/)\bfacts\/[\w.-]+|\b(?:design|style)\.md|(?<![\w.-]\/)\bshared\/[\w.-]+/g
/** A document with its heading, wherever it is named: also in texts that the program prints. */
const DOCUMENT = /(?<![\w./-])docs\/[\w./-]+\.(?:md|yaml)(?:#[\w-]+)?/g
const PATH = /(?<![\w./@$~-])(?:src|test|scripts|config|helm)\/[\w./*-]*[\w*]/g
/** `sender.ts`, `providers/index.ts`: the end of a path. */
const SOURCE_FILE = /(?<![\w./@$~*-])(?:[\w-]+\/)*[\w-]+(?:\.[\w-]+)*\.(?:ts|mjs)\b/g
const CASE_NAME = '(?:apns|app|fcm|http|multi|web)-[\\w*-]+'
const CASES = new RegExp(`golden:? (${CASE_NAME}(?:, ${CASE_NAME})*)`, 'g')
const LINK = /\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]+))?\)/g

/** What a file names and nobody can find, each as a sentence. */
export function danglingIn(path: string, repository: Repository): readonly string[] {
  const text = repository.read(path)
  const prose = isDocument(path) ? withoutLinks(text) : commentsOf(path, text)
  const mistakes = [
    ...all(prose, FOREIGN).map((name) => `cites ${name}, which is not in the repository`),
    ...all(text, DOCUMENT).flatMap((name) => mistakeIn(name.split('#'), name, repository)),
    ...all(prose, PATH).flatMap((name) => (exists(name, repository) ? [] : [`names ${name}, which does not exist`])),
    ...all(prose, SOURCE_FILE)
      .filter((name) => !isEndOfPath(name, repository))
      .map((name) => `names ${name}, which does not exist`),
    ...[...text.matchAll(CASES)]
      .flatMap(([, names = '']) => names.split(', '))
      .filter((name) => ![...repository.cases].some((each) => matchesGlob(each, name)))
      .map((name) => `names ${name}, which is no recorded case`),
    ...(isDocument(path) ? brokenLinks(path, withoutCode(text), repository) : []),
  ]
  return [...new Set(mistakes)].map((mistake) => `${path} ${mistake}`)
}

function brokenLinks(path: string, text: string, repository: Repository): readonly string[] {
  return [...text.matchAll(LINK)].flatMap(([, target = '', anchor]) => {
    const file = target === '' ? path : posix.join(posix.dirname(path), target)
    return mistakeIn([file, anchor], `${target}${anchor === undefined ? '' : `#${anchor}`}`, repository)
  })
}

function mistakeIn(
  [file = '', anchor]: readonly (string | undefined)[],
  name: string,
  repository: Repository,
): readonly string[] {
  if (!exists(file, repository)) return [`names ${name}, which does not exist`]
  if (anchor === undefined || anchorsOf(repository.read(file)).has(anchor)) return []
  return [`names ${name}, and there is no such heading`]
}

/** A file, a folder, or a pattern of files. */
function exists(name: string, { paths }: Repository): boolean {
  const path = name.replace(/\/$/, '')
  return (
    isLeftOpen(path) ||
    [...paths].some((each) => each === path || each.startsWith(`${path}/`) || matchesGlob(each, path))
  )
}

function isEndOfPath(name: string, { paths }: Repository): boolean {
  return isLeftOpen(name) || [...paths].some((path) => path === name || path.endsWith(`/${name}`))
}

/** `src/providers/NAME`: whoever reads it puts in a name. */
function isLeftOpen(path: string): boolean {
  return /\bNAME\b/.test(path)
}

/** As GitHub makes them of headings: in small letters, a dash for each space, other signs left out; a second one gets `-1`. */
export function anchorsOf(markdown: string): ReadonlySet<string> {
  const anchors = new Set<string>()
  for (const [, heading = ''] of withoutCode(markdown).matchAll(/^#{1,6} +(.+?) *#*$/gm)) {
    const words = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    const anchor = words
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}_ -]/gu, '')
      .replaceAll(' ', '-')
    const count = [...anchors].filter((each) => each.replace(/-\d+$/, '') === anchor).length
    anchors.add(anchors.has(anchor) ? `${anchor}-${count}` : anchor)
  }
  return anchors
}

function isDocument(path: string): boolean {
  return path.endsWith('.md')
}

const COMMENT = /^ *\/\*[\s\S]*?\*\/|(?:^|\s)\/\/ .*$/gm
/** Of YAML, shell, Python, and of the chart's templates. */
const HASH_COMMENT = /(?:^|\s)# .*$|\{\{-? *\/\*[\s\S]*?\*\//gm

function commentsOf(path: string, source: string): string {
  const found = source.matchAll(/\.(?:ts|mjs|js|java|swift)$/.test(path) ? COMMENT : HASH_COMMENT)
  return [...found].map(([comment]) => comment).join('\n')
}

function withoutLinks(markdown: string): string {
  return markdown.replaceAll(/\]\([^)]*\)/g, ']')
}

function withoutCode(markdown: string): string {
  return markdown.replaceAll(/^ *```[\s\S]*?^ *```/gm, '').replaceAll(/`[^`\n]*`/g, (code) => code.replaceAll(']', ''))
}

function all(text: string, pattern: RegExp): readonly string[] {
  return [...text.matchAll(pattern)].map(([match]) => match)
}
