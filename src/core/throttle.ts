/** For what may happen a thousand times a second and is to be said once in a while. */

/** Calls `action` now, and then not again before `intervalMs` have passed. */
export function atMostEvery(
  intervalMs: number,
  nowMs: () => number,
  action: (text: string) => void,
): (text?: string) => void {
  let lastMs = -Infinity
  return (text = '') => {
    if (nowMs() - lastMs < intervalMs) return
    lastMs = nowMs()
    action(text)
  }
}
