/** docs/configuration.md, from the schema of the configuration. Run it to write the file. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { configSchema } from '../src/config/json-schema.ts'
import { isJsonObject, type JsonObject, type JsonValue } from '../src/core/json.ts'
import { providers } from '../src/providers/index.ts'

export const configurationDoc = join(import.meta.dirname, '../docs/configuration.md')

const INTRODUCTION = `# Configuration

<!-- Written by scripts/write-configuration-doc.ts from src/config/schema.ts: change it there. -->

One YAML file: what \`--config\` or \`HUSHGATE_CONFIG\` names, else \`hushgate.yaml\` in the folder, else (but for \`hushgate start\`)
\`/etc/hushgate/hushgate.yaml\`; or a Sygnal configuration, which \`--sygnal\` or Sygnal's own \`SYGNAL_CONF\` names. Only \`apps\` is needed.
[config/hushgate.sample.yaml](../config/hushgate.sample.yaml) shows every setting in its place,
[config/hushgate.schema.json](../config/hushgate.schema.json) tells an editor the same. \`hushgate check\` lists every mistake at once,
\`hushgate check --online\` asks each push service, too.

- \`\${NAME}\` in a value is an environment variable; \`$\${\` is a plain \`\${\`. Inside \`{ }\` or \`[ ]\` such a value needs quotes.
- Paths start at the folder of the file.
- Durations are written as \`500ms\`, \`30s\`, \`5m\`, \`24h\`, \`28d\`; sizes as \`512KiB\`, \`16MiB\`.
- A change of the file, or of a file that it names, is used within a few seconds (at once with SIGHUP). A file with a mistake is refused and the old
  one stays in use; what needs a restart is said in the log.
`

export function writeConfiguration(): string {
  const schema = configSchema(providers)
  const common = settingsOf(schema).filter(([name]) => name !== 'apps')
  const sections = common.filter(([, setting]) => isSection(setting))
  const single = common.filter(([, setting]) => !isSection(setting))
  const apps = propertyOf(schema, 'apps')
  return [
    INTRODUCTION,
    ...sections.map(([name, section]) => `## ${name}\n\n${textOf(section, 'description')}\n\n${table(section)}`),
    `## For all apps\n\n${tableOf(single, requiredOf(schema))}`,
    `## apps\n\n${textOf(apps, 'description')} An exact name wins over a glob.\n`,
    ...kindsOf(apps).map(([kind, section]) => `### type: ${kind}\n\n${table(section)}`),
    `### Several push services\n\n${tableOf(severalOf(apps), ['providers'])}`,
  ].join('\n')
}

/** Each push service with the schema of its apps. */
function kindsOf(apps: JsonObject): (readonly [string, JsonObject])[] {
  return alternativesOf(apps['additionalProperties']).flatMap((section) => {
    const name = propertyOf(section, 'type')['const']
    return typeof name === 'string' ? [[name, section] as const] : []
  })
}

/** What only an app with several push services has: the list, and what an entry of it has beside the settings of its type. */
function severalOf(apps: JsonObject): (readonly [string, JsonObject])[] {
  const sections = alternativesOf(apps['additionalProperties']).map((section) => propertyOf(section, 'providers'))
  const list = sections.find((section) => section['items'] !== undefined) ?? {}
  const [entry = {}] = alternativesOf(list['items'])
  return [
    ['providers', list],
    ['providers[].when', propertyOf(entry, 'when')],
  ]
}

/** The schemas of which one holds, by what is in the section. */
function alternativesOf(section: JsonValue | undefined): readonly JsonObject[] {
  const each = isJsonObject(section) ? section['allOf'] : []
  return (Array.isArray(each) ? each : []).flatMap((one: JsonValue) =>
    isJsonObject(one) && isJsonObject(one['then']) ? [one['then']] : [],
  )
}

function table(section: JsonObject): string {
  return tableOf(settingsOf(section), requiredOf(section))
}

function tableOf(settings: readonly (readonly [string, JsonObject])[], required: readonly unknown[]): string {
  const rows = settings.flatMap(([name, setting]) => row(name, setting, required.includes(name)))
  return ['| Setting | Value | Default | |', '| --- | --- | --- | --- |', ...rows, ''].join('\n')
}

function row(name: string, setting: JsonObject, isRequired: boolean): readonly string[] {
  const fallback = setting['default']
  const shown = isRequired ? '*required*' : fallback === undefined || isSection(setting) ? '' : code(fallback)
  const cells = [`\`${name}\``, valuesOf(setting), shown, textOf(setting, 'description').replaceAll('<', '&lt;')]
  const inner = [
    ...innerRows(name, setting),
    ...(isJsonObject(setting['items']) ? innerRows(`${name}[]`, setting['items']) : []),
  ]
  return [`| ${cells.map((cell) => cell.replaceAll('|', String.raw`\|`)).join(' | ')} |`, ...inner]
}

function innerRows(name: string, section: JsonObject): readonly string[] {
  return settingsOf(section).flatMap(([key, one]) => row(`${name}.${key}`, one, requiredOf(section).includes(key)))
}

function valuesOf(setting: JsonObject): string {
  const { enum: choices, anyOf: alternatives, const: only, type, minimum, maximum, items } = setting
  if (Array.isArray(choices)) return choices.map(code).join(', ')
  if (Array.isArray(alternatives))
    return alternatives.map((one: JsonValue) => (isJsonObject(one) ? valuesOf(one) : '')).join(', ')
  if (only !== undefined) return code(only)
  if (type === 'integer') return `${JSON.stringify(minimum)} to ${JSON.stringify(maximum)}`
  if (type === 'boolean') return '`true`, `false`'
  if (type === 'array') return isJsonObject(items) && items['type'] === 'string' ? 'list of texts' : 'list'
  return type === 'string' ? 'text' : 'section'
}

function code(value: JsonValue): string {
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``
}

function settingsOf(section: JsonObject): (readonly [string, JsonObject])[] {
  const { properties } = section
  return Object.entries(isJsonObject(properties) ? properties : {}).flatMap(([name, setting]) =>
    isJsonObject(setting) ? [[name, setting] as const] : [],
  )
}

function isSection(setting: JsonObject): boolean {
  return isJsonObject(setting['properties'])
}

function propertyOf(section: JsonObject, name: string): JsonObject {
  return settingsOf(section).find(([key]) => key === name)?.[1] ?? {}
}

function requiredOf(section: JsonObject): readonly unknown[] {
  return Array.isArray(section['required']) ? section['required'] : []
}

function textOf(schema: JsonObject, key: string): string {
  const text = schema[key]
  return typeof text === 'string' ? text : ''
}

if (import.meta.main) writeFileSync(configurationDoc, writeConfiguration())
