/** A translated sygnal.yaml as the text of a hushgate.yaml, with a comment above each setting about which something is to be said. Pure. */
import { Document, isMap, isScalar, type Node } from 'yaml'
import { isJsonObject, jsonObject, type JsonObject, type JsonValue } from '../../core/json.ts'
import { formatPath, type SettingPath } from '../config-error.ts'
import type { Translated } from './translate.ts'
import type { Note } from './translation.ts'

const COMMENT_WIDTH = 110

/** `header` goes above all, a line each. */
export function printConfig({ config, notes, isProxyFromEnvironment }: Translated, header: readonly string[]): string {
  const escaped = escapeEnvironment(config)
  const document = new Document(isProxyFromEnvironment ? withProxyFromEnvironment(escaped) : escaped)
  const said = new Map<string, SettingPath>()
  const comments = new Map<Node | undefined, string[]>()
  for (const note of notes) {
    const node = keyNode(document.contents, note.at)
    const sentence = sentenceOf(note, said)
    comments.set(node, [...(comments.get(node) ?? []), ...(sentence === undefined ? [] : wrap(sentence))])
  }
  for (const [node, lines] of comments)
    if (node !== undefined && lines.length > 0) node.commentBefore = asComment(lines)
  document.commentBefore = asComment([...header, ...(comments.get(undefined) ?? [])])
  return document.toString({ lineWidth: 0 })
}

/** What was said of another app already is only pointed to, and advice is not repeated. */
function sentenceOf({ kind, path, at, sentence }: Note, said: Map<string, SettingPath>): string | undefined {
  const first = said.get(`${kind} ${sentence}`)
  if (first !== undefined && kind === 'safer') return undefined
  if (first === undefined) said.set(`${kind} ${sentence}`, path)
  const isInApp = at.length > 1 && at[0] === 'apps'
  const subject = formatPath(isInApp ? path.slice(2) : path)
  return `${subject === '' ? kind : `${kind}: ${subject}`}: ${first === undefined ? sentence : `as said of ${formatPath(first)}`}`
}

/** The key of this setting, or of the nearest thing around it; undefined for the whole file. */
function keyNode(contents: Node | null, at: SettingPath): Node | undefined {
  let found: Node | undefined
  let around: unknown = contents
  for (const step of at) {
    const pair = isMap(around) ? around.items.find(({ key }) => isScalar(key) && key.value === step) : undefined
    if (pair === undefined) break
    found = isScalar(pair.key) ? pair.key : found
    around = pair.value
  }
  return found
}

function wrap(text: string): readonly string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > COMMENT_WIDTH) {
      lines.push(line)
      line = ' '
    }
    line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}

function asComment(lines: readonly string[]): string {
  return lines.map((line) => ` ${line}`).join('\n')
}

/** In Sygnal `${` is only text. */
function escapeEnvironment(config: JsonObject): JsonObject {
  return jsonObject(Object.entries(config).map(([key, value]) => [key, escapeValue(value)] as const))
}

function escapeValue(value: JsonValue | undefined): JsonValue | undefined {
  if (typeof value === 'string') return value.replaceAll('${', () => '$${')
  if (Array.isArray(value)) return value.map((item: JsonValue) => escapeValue(item) ?? null)
  return isJsonObject(value) ? escapeEnvironment(value) : value
}

function withProxyFromEnvironment(config: JsonObject): JsonObject {
  return jsonObject(
    Object.entries(config).map(([key, value]) => [key, key === 'proxy' ? '${HTTPS_PROXY}' : value] as const),
  )
}
