/** Writes the table of values in helm/README.md from the comments and defaults of helm/values.yaml. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isMap, isPair, isScalar, parseDocument, type YAMLMap } from 'yaml'

const HELM = join(import.meta.dirname, '../helm')
export const helmReadme = join(HELM, 'README.md')

/** Longer ones are only in values.yaml. */
const LONGEST_DEFAULT = 70

interface Row {
  readonly value: string
  readonly byDefault: string
  readonly meaning: string
}

/** The README with its table as it must be: between `<!-- values -->` and `<!-- end -->`. */
export function withValues(readme: string): string {
  const { contents } = parseDocument(readFileSync(join(HELM, 'values.yaml'), 'utf8'), { merge: true })
  if (!isMap(contents)) throw new Error('helm/values.yaml holds no values')
  const rows = rowsOf(contents, []).map(({ value, byDefault, meaning }) => `| ${value} | ${byDefault} | ${meaning} |`)
  const table = ['| Value | Default | Means |', '| --- | --- | --- |', ...rows].join('\n')
  const between = /(<!-- values -->\n)[^]*?(<!-- end -->)/
  if (!between.test(readme)) throw new Error('helm/README.md has no place for the values')
  return readme.replace(between, (_, start: string, end: string) => `${start}${table}\n${end}`)
}

/** One for each value that has a default of its own; a map in one line is one value. */
function rowsOf(map: YAMLMap, path: readonly string[]): readonly Row[] {
  return map.items.flatMap((pair, index) => {
    if (!isPair(pair) || !isScalar(pair.key)) return []
    // The merge key: all that the anchor has and that is not said anew.
    if (typeof pair.key.value === 'symbol') return [row([...path, '*'], 'as above', '')]
    const key = String(pair.key.value)
    // A comment before the first value of a map is found at the map.
    const comment = pair.key.commentBefore ?? (index === 0 ? map.commentBefore : undefined) ?? ''
    const at = [...path, key]
    if (!isMap(pair.value) || pair.value.flow === true || pair.value.items.length === 0)
      return [row(at, shown(pair.value), meaningIn(comment))]
    const meaning = meaningIn(comment)
    const rows = rowsOf(pair.value, at)
    return meaning === '' ? rows : [row(at, '', meaning), ...rows]
  })
}

function row(path: readonly string[], byDefault: string, meaning: string): Row {
  return { value: `\`${path.join('.')}\``, byDefault, meaning }
}

function shown(node: unknown): string {
  const value: unknown = Object(node).toJSON()
  const text = JSON.stringify(value ?? '')
  return text.length > LONGEST_DEFAULT ? 'see values.yaml' : `\`${text.replaceAll('|', String.raw`\|`)}\``
}

/** What stands behind `# --`, up to the end of the comment. */
function meaningIn(comment: string): string {
  const [, text = ''] = /(?:^|\n) *-- ([^]*)$/.exec(comment) ?? []
  return text
    .replaceAll(/\s*\n\s*/g, ' ')
    .replaceAll('|', String.raw`\|`)
    .trim()
}

if (import.meta.main) writeFileSync(helmReadme, withValues(readFileSync(helmReadme, 'utf8')))
