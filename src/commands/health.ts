/** `hushgate health`: asks the running gateway whether it is alive, or with `--ready` whether it can accept pushes. For health checks of containers. */
import { Value } from 'typebox/value'
import { checkValue } from '../config/check-value.ts'
import type { SettingPath } from '../config/config-error.ts'
import { readText } from '../config/files.ts'
import { fileSchema } from '../config/schema.ts'
import { readSource, type Environment, type SourceReader } from '../config/yaml-source.ts'
import { codeOf } from '../core/error-code.ts'
import { isJsonObject } from '../core/json.ts'
import { adminUrl } from './admin-url.ts'

export interface HealthOptions {
  readonly path: string
  readonly env: Environment
  /** For a file in another form than ours. */
  readonly readAs?: SourceReader | undefined
  readonly isReadinessAsked: boolean
  readonly stdout: NodeJS.WritableStream
}

const TIMEOUT_MS = 5000

/** Prints one line; resolves with the exit code. */
export async function health({
  path,
  env,
  readAs = readSource,
  isReadinessAsked,
  stdout,
}: HealthOptions): Promise<number> {
  const { text, problem } = await readText(path)
  const { isWell, sentence } =
    problem === undefined
      ? await ask(readAddress(text, env, readAs), isReadinessAsked)
      : { isWell: false, sentence: problem }
  stdout.write(`${sentence}\n`)
  return isWell ? 0 : 1
}

/**
 * What the file says of the admin port, whatever else is wrong with it: a mistake that was made since the gateway started is no illness of it.
 */
function readAddress(text: string, env: Environment, readAs: SourceReader): string {
  const source = readAs(text, env, ignore, ignore)
  const { admin: schema } = fileSchema.properties
  const written = isJsonObject(source.value) ? source.value['admin'] : undefined
  const findings = {
    report: ignore,
    isReported: () => false,
    isFromEnvironment: (path: SettingPath) => source.isFromEnvironment(path),
  }
  const checked = checkValue(schema, isJsonObject(written) ? written : {}, ['admin'], findings)
  return adminUrl(Value.Check(schema, checked) ? checked : Value.Create(schema))
}

interface Verdict {
  readonly isWell: boolean
  readonly sentence: string
}

async function ask(url: string, isReadinessAsked: boolean): Promise<Verdict> {
  try {
    const response = await fetch(url + (isReadinessAsked ? '/readyz' : '/healthz'), {
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    const body: unknown = await response.json()
    const { status, reasons } = isJsonObject(body) ? body : {}
    if (typeof status !== 'string') return { isWell: false, sentence: `${url} is not the admin port of a Hushgate` }
    const because = Array.isArray(reasons) && reasons.length > 0 ? `: ${reasons.join('; ')}` : ''
    return { isWell: response.ok, sentence: status + because }
  } catch (error) {
    return { isWell: false, sentence: `${url} does not answer (${reasonOf(error)})` }
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  return error.name === 'TimeoutError' ? `within ${TIMEOUT_MS} ms` : codeOf(error.cause)
}

function ignore(): void {}
