/** A sygnal.yaml as text: read as Sygnal reads it (PyYAML, so YAML 1.1), translated, and with the line of every setting. */
import { isMap, isScalar, isSeq, LineCounter, parseDocument, type ParsedNode } from 'yaml'
import { jsonObject, type JsonValue } from '../../core/json.ts'
import type { SettingPath } from '../config-error.ts'
import { NOT_YAML } from '../yaml-source.ts'
import { translateSygnal, type Translated } from './translate.ts'
import type { Surroundings } from './translation.ts'

export interface SygnalFile extends Translated {
  readonly lineOf: (path: SettingPath) => number
}

export interface NotYaml {
  readonly line: number
  readonly message: string
}

export function readSygnal(text: string, surroundings: Surroundings): SygnalFile | NotYaml {
  const counter = new LineCounter()
  const options = {
    version: '1.1',
    lineCounter: counter,
    prettyErrors: false,
    uniqueKeys: false,
    logLevel: 'error',
  } as const
  const document = parseDocument(text, options)
  const [error] = document.errors
  if (error !== undefined)
    return {
      line: counter.linePos(error.pos[0]).line,
      message: `not valid YAML: ${NOT_YAML[error.code] ?? error.code}`,
    }
  let content: JsonValue
  try {
    content = toJson(document.toJS({ maxAliasCount: -1 }))
  } catch {
    return {
      line: 1,
      message: 'not valid YAML: an alias (*name) has no anchor (&name), or is inside what it stands for',
    }
  }

  const lines = linesOf(document.contents, (offset) => Math.max(1, counter.linePos(offset).line))
  const lineOf = (path: SettingPath): number => {
    for (let length = path.length; length > 0; length -= 1) {
      const line = lines.get(JSON.stringify(path.slice(0, length)))
      if (line !== undefined) return line
    }
    return 1
  }
  return { ...translateSygnal(content, surroundings), lineOf }
}

function linesOf(contents: ParsedNode | null, lineAt: (offset: number) => number): ReadonlyMap<string, number> {
  const lines = new Map<string, number>()
  const walk = (node: ParsedNode | null, path: SettingPath): void => {
    const enter = (step: string | number, at: ParsedNode, value: ParsedNode | null): void => {
      lines.set(JSON.stringify([...path, step]), lineAt(at.range[0]))
      walk(value, [...path, step])
    }
    if (isMap<ParsedNode, ParsedNode | null>(node))
      for (const { key, value } of node.items) enter(isScalar(key) ? String(key.value) : '', key, value)
    else if (isSeq<ParsedNode>(node)) for (const [index, item] of node.items.entries()) enter(index, item, item)
  }
  walk(contents, [])
  return lines
}

/** Dates, sets and other things that only YAML has become empty sections: no setting of Sygnal is one. */
function toJson(value: unknown): JsonValue {
  if (value === null || typeof value === 'boolean' || typeof value === 'number' || typeof value === 'string')
    return value
  if (Array.isArray(value)) return value.map(toJson)
  const entries = typeof value === 'object' ? Object.entries(value) : []
  return jsonObject(entries.map(([key, inner]) => [key, toJson(inner)] as const))
}
