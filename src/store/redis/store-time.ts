/**
 * What time it is at Redis. All processes that share a Redis go by its clock, so that a push does not expire because the clocks of two machines differ. INFO tells it
 * (`server_time_usec`, from Redis 6.2 on), which every Redis user of ours may ask for; TIME would take a further right.
 */
import type { Node } from './connection.ts'
import { fieldOf, infoOf } from './info.ts'

/** The answer is taken to be from the middle of the time that it took. What took longer says too little. */
const LONGEST_QUESTION_MS = 1000

/** Epoch, ms, at the moment when it resolves; undefined where Redis does not tell, or not soon enough. Rejects where it does not answer. */
export async function timeAt(node: Node): Promise<number | undefined> {
  const askedAtMs = performance.now()
  const timeMs = timeIn(await infoOf(node, 'server'))
  const tookMs = performance.now() - askedAtMs
  return tookMs > LONGEST_QUESTION_MS || timeMs === undefined ? undefined : timeMs + tookMs / 2
}

/** `info`: of the server. Epoch, ms; undefined where it does not tell. */
export function timeIn(info: string | undefined): number | undefined {
  const microseconds = Number(fieldOf(info, 'server_time_usec'))
  return Number.isNaN(microseconds) ? undefined : microseconds / 1000
}
