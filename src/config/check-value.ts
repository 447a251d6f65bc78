/** A value against its schema: fills in defaults and reports every mistake in words an operator can act on. Pure. */
import Type, { type TObject, type TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { isJsonObject } from '../core/json.ts'
import type { SettingPath } from './config-error.ts'
import { didYouMean, expected, found } from './sentences.ts'

export interface Findings {
  report(path: SettingPath, message: string): void
  /** Something is already said about this very setting. */
  isReported(path: SettingPath): boolean
  isFromEnvironment(path: SettingPath): boolean
}

/** The value without unknown keys and with defaults, also for what is wrong (and reported), so that the rest can be checked. */
export function checkValue(schema: TSchema, value: unknown, path: SettingPath, findings: Findings): unknown {
  if (value === null && !findings.isReported(path))
    findings.report(path, 'has no value; give it one, or delete the line')
  else if (Type.IsObject(schema)) return checkObject(schema, value, path, findings)
  else if (Type.IsRecord(schema) && isJsonObject(value))
    return Object.fromEntries(
      Object.entries(value).map(([key, each]) => [
        key,
        checkValue(Type.RecordValue(schema), each, [...path, key], findings),
      ]),
    )
  else if (Type.IsArray(schema)) {
    if (!Array.isArray(value) || value.length === 0) return checkLeaf(schema, value, path, findings)
    return value.map((item, index) => checkValue(schema.items, item, [...path, index], findings))
  } else return checkLeaf(schema, value, path, findings)
  return value
}

function checkObject(schema: TObject, value: unknown, path: SettingPath, findings: Findings): unknown {
  if (!isJsonObject(value)) return checkLeaf(Type.Object({}), value, path, findings)
  const known = Object.keys(schema.properties)
  for (const key of Object.keys(value).filter((name) => !known.includes(name)))
    findings.report([...path, key], `unknown key; ${didYouMean(key, known) ?? `known here: ${known.join(', ')}`}`)
  const entries: [string, unknown][] = []
  for (const [key, property] of Object.entries(schema.properties)) {
    const at = [...path, key]
    if (Object.hasOwn(value, key)) entries.push([key, checkValue(property, value[key], at, findings)])
    else if ('default' in property) entries.push([key, checkValue(property, property.default, at, findings)])
    else if (!Type.IsOptional(property)) findings.report(at, `is missing${explained(property)}`)
    if (Object.hasOwn(value, key) && Object.hasOwn(value, `${key}_file`) && known.includes(`${key}_file`))
      findings.report(at, `give ${key} or ${key}_file, not both`)
  }
  return Object.fromEntries(entries)
}

function explained(schema: TSchema): string {
  return 'description' in schema && typeof schema.description === 'string' ? `: ${schema.description}` : ''
}

function checkLeaf(schema: TSchema, value: unknown, path: SettingPath, findings: Findings): unknown {
  if (Value.Check(schema, value) || findings.isReported(path)) return value
  const isHidden = findings.isFromEnvironment(path)
  if (isHidden && typeof value === 'string') {
    const meant = scalarOf(value)
    if (Value.Check(schema, meant)) return meant
  }
  findings.report(path, `expected ${expected(schema)}, found ${found(schema, value, isHidden)}`)
  if ('default' in schema) return schema.default
  return Type.IsOptional(schema) ? undefined : value
}

/** An environment variable can only hold text. */
function scalarOf(text: string): unknown {
  if (text === 'true' || text === 'false') return text === 'true'
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text
}
