/** Time limits that leave no timer and no listener behind. What a promise does after its limit is ignored. */

/** Settles as the promise does; rejects with what `createError` makes when the limit comes first. */
export async function withTimeLimit<T>(limitMs: number, promise: Promise<T>, createError: () => Error): Promise<T> {
  const { promise: limit, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(createError()), limitMs)
  try {
    return await Promise.race([promise, limit])
  } finally {
    clearTimeout(timer)
  }
}

/** Resolves when the promise resolves, or when the limit comes first; rejects as the promise does. */
export async function waitAtMost(limitMs: number, promise: Promise<unknown>): Promise<void> {
  const { promise: limit, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, limitMs)
  try {
    await Promise.race([promise, limit])
  } finally {
    clearTimeout(timer)
  }
}
