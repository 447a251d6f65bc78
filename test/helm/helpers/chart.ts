/** The chart, rendered by the real helm, as plain objects. */
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { parse, parseAllDocuments } from 'yaml'
import { chartTools } from '../../../scripts/helm-tools.ts'
import { isJsonObject, type JsonObject, type JsonValue } from '../../../src/core/json.ts'

export const chartFolder = join(import.meta.dirname, '../../../helm')
/** One file of values for each way of use. */
export const waysOfUse = readdirSync(join(chartFolder, 'ci')).map((name) => name.replace('-values.yaml', ''))
export const NAMESPACE = 'gateway'
export const RELEASE = 'hushgate'

const MOST_OUTPUT_BYTES = 2 ** 26

/** Standard output of a tool; rejects with all that it said when it fails. */
export async function runTool(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  try {
    // Not our environment: a kubeconfig in it would lead to somebody's cluster.
    const environment = { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env }
    const { stdout } = await promisify(execFile)(program, args, { env: environment, maxBuffer: MOST_OUTPUT_BYTES })
    return stdout
  } catch (error) {
    const said = isOutput(error) ? error.stdout + error.stderr : String(error)
    throw new Error(`${program.split('/').at(-1)} ${args.join(' ')} failed:\n${said}`, { cause: error })
  }
}

function isOutput(error: unknown): error is { readonly stdout: string; readonly stderr: string } {
  return typeof error === 'object' && error !== null && 'stdout' in error && 'stderr' in error
}

export function valuesFile(wayOfUse: string): string {
  return join(chartFolder, 'ci', `${wayOfUse}-values.yaml`)
}

/** What `helm install` would send, as text. */
export function render(wayOfUse: string, args: readonly string[] = [], folder = chartFolder): Promise<string> {
  const values = valuesFile(wayOfUse)
  return runTool(chartTools.helm, ['template', RELEASE, folder, '--namespace', NAMESPACE, '--values', values, ...args])
}

export async function renderObjects(
  wayOfUse: string,
  args: readonly string[] = [],
  folder = chartFolder,
): Promise<readonly JsonObject[]> {
  return parseObjects(await render(wayOfUse, args, folder))
}

export function parseObjects(text: string): readonly JsonObject[] {
  return parseAllDocuments(text).flatMap((document): JsonObject[] => {
    const value: unknown = document.toJS()
    return isJsonObject(value) ? [value] : []
  })
}

export function readChartFile(name: string): JsonObject {
  const value: unknown = parse(readFileSync(join(chartFolder, name), 'utf8'), { merge: true })
  return isJsonObject(value) ? value : {}
}

/** What is at this path, if anything. */
export function pick(value: JsonValue | undefined, ...path: readonly (string | number)[]): JsonValue | undefined {
  let current = value
  for (const step of path) {
    if (Array.isArray(current)) current = (current as readonly JsonValue[])[Number(step)]
    else if (isJsonObject(current)) current = current[step]
    else return undefined
  }
  return current
}

export function pickText(value: JsonValue | undefined, ...path: readonly (string | number)[]): string {
  const found = pick(value, ...path)
  if (typeof found !== 'string') throw new TypeError(`there is no text at ${path.join('.')}`)
  return found
}

export function pickList(value: JsonValue | undefined, ...path: readonly (string | number)[]): readonly JsonValue[] {
  const found = pick(value, ...path)
  return Array.isArray(found) ? found : []
}

export function nameOf(object: JsonObject): string {
  return `${pickText(object, 'kind')}/${pickText(object, 'metadata', 'name')}`
}

export function ofKind(objects: readonly JsonObject[], ...kinds: readonly string[]): readonly JsonObject[] {
  return objects.filter((object) => kinds.includes(pickText(object, 'kind')))
}

/** Deployments and StatefulSets of the gateway itself. */
export function gatewaysOf(objects: readonly JsonObject[]): readonly JsonObject[] {
  return ofKind(objects, 'Deployment', 'StatefulSet').filter(
    (object) => pick(object, 'metadata', 'labels', 'app.kubernetes.io/name') === 'hushgate',
  )
}

/** Whether all labels of the selector are among the others. */
export function selects(selector: JsonValue | undefined, labels: JsonValue | undefined): boolean {
  return (
    isJsonObject(selector) &&
    Object.keys(selector).length > 0 &&
    Object.entries(selector).every(([name, value]) => pick(labels, name) === value)
  )
}
