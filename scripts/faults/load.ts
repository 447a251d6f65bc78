/** Homeservers that send the notifications evenly over a time, each again until it is told 200. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Posted } from './accounting.ts'
import type { Notice } from './notices.ts'

const FIRST_RETRY_MS = 100
/** A homeserver is more patient. */
const LONGEST_RETRY_MS = 1000
/** A homeserver gives up an answer, too. */
const ANSWER_TIMEOUT_MS = 5000

export interface Load {
  readonly posted: ReadonlyMap<Notice, Posted>
  /** Answers other than 200, and connections that failed. */
  readonly refused: number
  /** Resolves when all are acknowledged, or the signal is aborted. */
  readonly done: Promise<void>
}

interface LoadOptions {
  /** Each attempt goes to the next, as through a load balancer. */
  readonly urls: readonly string[]
  readonly bodyOf: (notice: Notice) => string
  readonly loadMs: number
  readonly signal: AbortSignal
}

export function startLoad(notices: readonly Notice[], { urls, bodyOf, loadMs, signal }: LoadOptions): Load {
  const posted = new Map<Notice, Posted>()
  const load = { posted, refused: 0 }
  let turn = 0
  const send = async (notice: Notice, afterMs: number): Promise<void> => {
    await sleep(afterMs)
    const firstAtMs = Date.now()
    const body = bodyOf(notice)
    posted.set(notice, { firstAtMs, acknowledgedAtMs: undefined })
    for (let retryMs = FIRST_RETRY_MS; !signal.aborted; retryMs = Math.min(2 * retryMs, LONGEST_RETRY_MS)) {
      turn += 1
      if (await isAccepted(body, urls[turn % urls.length] ?? '')) {
        posted.set(notice, { firstAtMs, acknowledgedAtMs: Date.now() })
        return
      }
      load.refused += 1
      await sleep(retryMs)
    }
  }
  const all = notices.map((notice, index) => send(notice, (index / notices.length) * loadMs))
  const finish = async (): Promise<void> => void (await Promise.all(all))
  return Object.assign(load, { done: finish() })
}

async function isAccepted(body: string, url: string): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS)
    const response = await fetch(`${url}/_matrix/push/v1/notify`, { method: 'POST', body, signal })
    await response.arrayBuffer()
    return response.status === 200
  } catch {
    return false
  }
}
