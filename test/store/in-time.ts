/** Whether a promise settles before a timer that starts now: where the machine is busy both are late, so the answer is the same. */
export async function isInTime(promise: Promise<unknown>, limitMs: number): Promise<boolean> {
  let isOver = false
  const timer = setTimeout(() => {
    isOver = true
  }, limitMs)
  await promise.catch(() => {})
  clearTimeout(timer)
  return !isOver
}
