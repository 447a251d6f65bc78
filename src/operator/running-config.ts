/** The configuration that is in use, as an operator may look at it: everything but secrets. Pure. */
import type { Config } from '../config/config.ts'
import { isJsonObject, jsonObject, type JsonObject, type JsonValue } from '../core/json.ts'
import { Secret } from '../core/secret.ts'

const REDACTED = String(new Secret(''))
/** Options of push services are written in the file as they are. What is secret is called so, or is in a file, whose name is none. */
const SECRET_NAME = /(?:passphrase|password|secret|token|private_?key)$/i
const PASSWORD_IN_URL = /(?<=^[a-z][a-z+.-]*:\/\/)[^/@]*(?=@)/i

/** Contents and hashes of files are left out, too. */
export function runningConfig({ files: _files, warnings, routes, ...rest }: Config): JsonObject {
  const apps = routes.map(({ app, provider, policy, timing, options }) =>
    jsonObject(Object.entries({ app, provider, policy, timing, options }).map(([name, value]) => [name, shown(value)])),
  )
  return jsonObject([
    ...Object.entries(rest).map(([name, value]) => [name, shown(value, name)] as const),
    ['apps', apps],
    ['warnings', warnings.map(({ message }) => message)],
  ])
}

function shown(value: unknown, name = ''): JsonValue | undefined {
  if (value instanceof Secret) return REDACTED
  if (value instanceof Map) return shown(Object.fromEntries(value))
  if (Array.isArray(value)) return value.map((each) => shown(each, name) ?? null)
  if (isJsonObject(value)) return jsonObject(Object.entries(value).map(([key, each]) => [key, shown(each, key)]))
  if (typeof value === 'string') return SECRET_NAME.test(name) ? REDACTED : value.replace(PASSWORD_IN_URL, REDACTED)
  return typeof value === 'number' || typeof value === 'boolean' || value === null ? value : undefined
}
