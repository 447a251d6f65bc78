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
  /** Of what came from one: as it is written, with the name of the variable, and what that made of it. */
  filledIn?(path: SettingPath): FilledIn | undefined
}

export interface FilledIn {
  readonly written: string
  readonly filled: string
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
  // Keys given twice are found when it is read, where their path is known.
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false, uniqueKeys: false })
  const problems = [...document.errors, ...document.warnings]
  const reader = new YamlReader(counter, env, report)
  let lastLine = 0
  for (const { code, pos } of problems) {
    const line = reader.lineAt(pos[0])
    // What follows on the same line is the parser finding its way again.
    if (line === lastLine) continue
    lastLine = line
    report([], line, `not valid YAML: ${NOT_YAML[code] ?? code}${hintFor(text.split('\n')[line - 1] ?? '')}`)
  }
  return {
    value: problems.length === 0 ? reader.read(document.contents, []) : undefined,
    lineOf: (path) => reader.lineOf(path),
    isFromEnvironment: (path) => reader.isFromEnvironment(path),
    filledIn: (path) => reader.filledIn(path),
  }
}

/** A parsed document as plain data, and where in the file each setting is. */
class YamlReader {
  readonly #counter: LineCounter
  readonly #env: Environment
  readonly #report: Report
  readonly #lines = new Map<string, number>()
  readonly #substituted = new Map<string, FilledIn>()

  constructor(counter: LineCounter, env: Environment, report: Report) {
    this.#counter = counter
    this.#env = env
    this.#report = report
  }

  lineAt(offset: number): number {
    return Math.max(1, this.#counter.linePos(offset).line)
  }

  lineOf(path: SettingPath): number {
    for (let length = path.length; length > 0; length -= 1) {
      const line = this.#lines.get(JSON.stringify(path.slice(0, length)))
      if (line !== undefined) return line
    }
    return 1
  }

  isFromEnvironment(path: SettingPath): boolean {
    return this.filledIn(path) !== undefined
  }

  filledIn(path: SettingPath): FilledIn | undefined {
    return this.#substituted.get(JSON.stringify(path))
  }

  read(node: ParsedNode | null, path: SettingPath): unknown {
    if (isMap<ParsedNode, ParsedNode | null>(node)) return this.#readMap(node, path)
    if (isSeq<ParsedNode>(node))
      return node.items.map((item, index) => {
        this.#lines.set(JSON.stringify([...path, index]), this.lineAt(item.range[0]))
        return this.read(item, [...path, index])
      })
    if (isAlias(node)) this.#report(path, this.lineOf(path), 'aliases (*name) are not supported; write the value out')
    if (!isScalar(node)) return null
    return typeof node.value === 'string' ? this.#fillIn(node.value, path) : node.value
  }

  #readMap(map: YAMLMap<ParsedNode, ParsedNode | null>, path: SettingPath): unknown {
    const entries = new Map<string, unknown>()
    for (const { key, value } of map.items) {
      const line = this.lineAt(key.range[0])
      const name = isScalar(key) ? (typeof key.value === 'string' ? key.value : (key.source ?? '')) : undefined
      const at = [...path, name ?? '']
      if (isAlias(key)) this.#report(path, line, 'a key that begins with * must be in quotes')
      else if (name === undefined || name === '') this.#report(path, line, 'a key must be plain text')
      else if (name === '<<') this.#report(path, line, 'merge keys (<<) are not supported; write the settings out')
      else if (name === '__proto__') this.#report(path, line, '__proto__ cannot be a key')
      else if (entries.has(name)) this.#report(at, line, `given twice, first on line ${this.lineOf(at)}`)
      else {
        this.#lines.set(JSON.stringify(at), line)
        entries.set(name, this.read(value, at))
      }
    }
    return Object.fromEntries(entries)
  }

  #fillIn(value: string, path: SettingPath): string {
    let isFromEnvironment = false
    const text = value.replaceAll(/\$\$\{|\$\{([^}]*)(\}?)/g, (whole, name: string | undefined, end: string) => {
      if (name === undefined) return '${'
      isFromEnvironment = true
      const isName = end !== '' && /^[A-Za-z_][A-Za-z0-9_]*$/.test(name)
      const filled = isName && Object.hasOwn(this.#env, name) ? this.#env[name] : undefined
      const report = (message: string): void => this.#report(path, this.lineOf(path), message)
      if (!isName) report('after ${ comes the name of an environment variable and }; for a plain ${ write $${')
      else if (filled === undefined) report(`the environment variable ${name} is not set`)
      return filled ?? whole
    })
    if (isFromEnvironment) this.#substituted.set(JSON.stringify(path), { written: value, filled: text })
    return text
  }
}

/** What most likely went wrong on such a line. */
function hintFor(line: string): string {
  if (/^\s*\*/.test(line)) return '; a key that begins with * must be in quotes'
  return line.includes('${') ? '; inside { } or [ ] a ${NAME} must be in quotes' : ''
}
