/** Whether two texts are the same, in a time that tells nothing of where they differ. */
import { timingSafeEqual } from 'node:crypto'

export function isSameText(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)]
  return a.length === b.length && timingSafeEqual(a, b)
}
