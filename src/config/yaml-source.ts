/** The configuration file as plain data: YAML without surprises, `${ENV}` filled in, and the line of every setting remembered. */
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type ParsedNode, type YAMLMap } from 'yaml'
import type { SettingPath } from './config-error.ts'

export type Environment = Readonly<Record<string, string | undefined>>

export interface Source {
  readonly value: unknown
  /** Where relative paths begin; default: the folder of the file. */
  readonly folder?: string | undefined
  /** How a setting is called in the file, where that is not how it is called in `value`. */
  nameOf?(path: SettingPath): SettingPath
  /** The line of a setting, or of the nearest thing around it that is in the file. */
  lineOf(path: SettingPath): number
  /** It came from an environment variable: always text, and not to be shown. */
  isFromEnvironment(path: SettingPath): boolean
}

/** Not `yaml`'s own messages, which quote the file: it may hold secrets. */
export const NOT_YAML: Readonly<Record<string, string>> = {
  ALIAS_PROPS: 'an alias takes no anchor or tag',
  BAD_DIRECTIVE: 'a line that starts with % is a YAML directive, and this one is not known',
  BAD_DQ_ESCAPE: 'the text in double quotes has a backslash escape that does not exist; write \\\\ for a backslash',
  BAD_INDENT: 'the indentation does not fit the lines around it',
  BAD_SCALAR_START: 'a value cannot start with this character unless it is in quotes',
  BLOCK_AS_IMPLICIT_KEY: 'a second ": " in one line: put the value in quotes, or indent the next line correctly',
  BLOCK_IN_FLOW: 'inside { } or [ ] only the short form can be used',
  COMMENT_SPACE: 'a comment needs a space before its #',
  MISSING_CHAR: 'a quote, bracket, comma or colon is missing',
  MULTILINE_IMPLICIT_KEY: 'a key must be on one line and end with ": "',
  MULTIPLE_DOCS: 'there must be one document only; delete the line ---',
  TAB_AS_INDENT: 'a tab is used to indent; YAML allows only spaces',
  TAG_RESOLVE_FAILED: 'tags (!…) are not supported',
  UNEXPECTED_TOKEN: 'something is here that cannot be',
}

export type Report = (path: SettingPath, line: number, message: string) => void

/** A file in another form than ours. `warn` is for what is only to be told. */
export type SourceReader = (text: string, env: Environment, report: Report, warn: Report) => Source

export function readSource(text: string, env: Environment, report: Report): Source {
  const counter = new LineCounter()
  const lines = new Map<string, number>()
  const substituted = new Set<string>()
  const lineAt = (offset: number): number => Math.max(1, counter.linePos(offset).line)
  const lineOf = (path: SettingPath): number => {
    for (let length = path.length; length > 0; length -= 1) {
      const line = lines.get(JSON.stringify(path.slice(0, length)))
      if (line !== undefined) return line
    }
    return 1
  }

  // Keys given twice are found below, where their path is known.
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false, uniqueKeys: false })
  const problems = [...document.errors, ...document.warnings]
  let lastLine = 0
  for (const { code, pos } of problems) {
    const line = lineAt(pos[0])
    // What follows on the same line is the parser finding its way again.
    if (line === lastLine) continue
    lastLine = line
    report([], line, `not valid YAML: ${NOT_YAML[code] ?? code}${hintFor(text.split('\n')[line - 1] ?? '')}`)
  }

  const read = (node: ParsedNode | null, path: SettingPath): unknown => {
    if (isMap<ParsedNode, ParsedNode | null>(node)) return readMap(node, path)
    if (isSeq<ParsedNode>(node))
      return node.items.map((item, index) => {
        lines.set(JSON.stringify([...path, index]), lineAt(item.range[0]))
        return read(item, [...path, index])
      })
    if (isAlias(node)) report(path, lineOf(path), 'aliases (*name) are not supported; write the value out')
    if (!isScalar(node)) return null
    return typeof node.value === 'string' ? fillIn(node.value, path) : node.value
  }

  const readMap = (map: YAMLMap<ParsedNode, ParsedNode | null>, path: SettingPath): unknown => {
    const entries = new Map<string, unknown>()
    for (const { key, value } of map.items) {
      const line = lineAt(key.range[0])
      const name = isScalar(key) ? (typeof key.value === 'string' ? key.value : (key.source ?? '')) : undefined
      const at = [...path, name ?? '']
      if (isAlias(key)) report(path, line, 'a key that begins with * must be in quotes')
      else if (name === undefined || name === '') report(path, line, 'a key must be plain text')
      else if (name === '<<') report(path, line, 'merge keys (<<) are not supported; write the settings out')
      else if (name === '__proto__') report(path, line, '__proto__ cannot be a key')
      else if (entries.has(name)) report(at, line, `given twice, first on line ${lineOf(at)}`)
      else {
        lines.set(JSON.stringify(at), line)
        entries.set(name, read(value, at))
      }
    }
    return Object.fromEntries(entries)
  }

  const fillIn = (value: string, path: SettingPath): string =>
    value.replaceAll(/\$\$\{|\$\{([^}]*)(\}?)/g, (whole, name: string | undefined, end: string) => {
      if (name === undefined) return '${'
      substituted.add(JSON.stringify(path))
      const isName = end !== '' && /^[A-Za-z_][A-Za-z0-9_]*$/.test(name)
      const filled = isName && Object.hasOwn(env, name) ? env[name] : undefined
      if (!isName)
        report(path, lineOf(path), 'after ${ comes the name of an environment variable and }; for a plain ${ write $${')
      else if (filled === undefined) report(path, lineOf(path), `the environment variable ${name} is not set`)
      return filled ?? whole
    })

  const value = problems.length === 0 ? read(document.contents, []) : undefined
  return { value, lineOf, isFromEnvironment: (path) => substituted.has(JSON.stringify(path)) }
}

/** What most likely went wrong on such a line. */
function hintFor(line: string): string {
  if (/^\s*\*/.test(line)) return '; a key that begins with * must be in quotes'
  return line.includes('${') ? '; inside { } or [ ] a ${NAME} must be in quotes' : ''
}
