/** Time limits that leave no timer and no listener behind. */

/** Runs `run` with a signal that aborts after `ms` (reason `deadline`) or with `signal` (reason `aborted`). */
export async function withDeadline<T>(
  ms: number,
  signal: AbortSignal | undefined,
  run: (limit: AbortSignal) => Promise<T>,
): Promise<T> {
  const limit = new AbortController()
  const onAbort = (): void => limit.abort('aborted')
  const timer = setTimeout(() => limit.abort('deadline'), ms)
  if (signal?.aborted === true) onAbort()
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    return await run(limit.signal)
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
  }
}

/** Resolves with undefined when the limit comes first. */
export function before<T>(limit: AbortSignal, promise: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    if (limit.aborted) resolve(undefined)
    limit.addEventListener('abort', () => resolve(undefined), { once: true })
    promise.then(resolve, reject)
  })
}
