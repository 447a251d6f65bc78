/** `hushgate health`: asks the running gateway whether it is alive, or with `--ready` whether it can accept pushes. For health checks of containers. */
import { readText } from '../config/files.ts'
import type { Environment, SourceReader } from '../config/yaml-source.ts'
import { codeOf } from '../core/error-code.ts'
import { isJsonObject } from '../core/json.ts'
import { readAdminPart } from './operator-access.ts'

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
export async function health({ path, env, readAs, isReadinessAsked, stdout }: HealthOptions): Promise<number> {
  const { text, problem } = await readText(path)
  const { isWell, sentence } =
    problem === undefined
      ? await ask(readAdminPart(text, path, env, readAs).url, isReadinessAsked)
      : { isWell: false, sentence: problem }
  stdout.write(`${sentence}\n`)
  return isWell ? 0 : 1
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
