/** What became of the last push to a device, in a few bytes that an operator can ask for. Pure. */
import { createHash } from 'node:crypto'
import type { Outcome } from './outcome.ts'

export interface Receipt {
  /** When the homeserver posted the push; epoch ms, in whole minutes. */
  readonly acceptedAtMs: number
  /** When it was last attempted; the same. */
  readonly attemptedAtMs: number
  /** 1 for the first. */
  readonly attempt: number
  readonly result: ReceiptResult
  /** Of what was delivered, the push service's name for it (`apns-id`, FCM's message ID), if it gave one; of anything else, the reason. */
  readonly word: string
  /** Which route it was, as `routeMark` has it. */
  readonly routeMark: string
}

export const RECEIPT_RESULTS = ['delivered', 'rejected', 'retry', 'failed', 'blocked'] as const
export type ReceiptResult = (typeof RECEIPT_RESULTS)[number]

/** Fits a UUID and the names of FCM; so the whole takes less than 95 bytes, and 128 when it is sealed (store/note.ts). */
const WORD_CHARACTERS = 64
const MINUTE_MS = 60_000

/** What of an outcome a receipt can say; undefined where nothing was attempted. */
export function receiptOf(
  outcome: Outcome,
  { acceptedAtMs, attemptedAtMs, attempt, routeMark: mark }: Omit<Receipt, 'result' | 'word'>,
): Receipt | undefined {
  if (outcome.kind === 'waits' || outcome.kind === 'dropped') return undefined
  const word = outcome.kind === 'delivered' ? (outcome.serviceId ?? '') : outcome.reason
  return { acceptedAtMs, attemptedAtMs, attempt, result: outcome.kind, word, routeMark: mark }
}

/** At most 95 characters of ASCII. Times in whole minutes: nothing here needs more. */
export function encodeReceipt({
  acceptedAtMs,
  attemptedAtMs,
  attempt,
  result,
  word,
  routeMark: mark,
}: Receipt): string {
  const times = [acceptedAtMs, attemptedAtMs].map((ms) => Math.floor(ms / MINUTE_MS).toString(36))
  const shown = word.replaceAll(/[^\u0021-\u007e]+/g, ' ').slice(0, WORD_CHARACTERS)
  return [...times, Math.min(attempt, 9999).toString(36), RECEIPT_RESULTS.indexOf(result), mark, shown].join(',')
}

/** Undefined where another version wrote it. */
export function decodeReceipt(text: string): Receipt | undefined {
  const [accepted = '', attempted = '', attempt = '', result = '', mark = '', ...word] = text.trimEnd().split(',')
  const kind = RECEIPT_RESULTS[Number(result)]
  if (kind === undefined || ![accepted, attempted, attempt].every((each) => /^[0-9a-z]+$/.test(each))) return undefined
  return {
    acceptedAtMs: Number.parseInt(accepted, 36) * MINUTE_MS,
    attemptedAtMs: Number.parseInt(attempted, 36) * MINUTE_MS,
    attempt: Number.parseInt(attempt, 36),
    result: kind,
    word: word.join(','),
    routeMark: mark,
  }
}

/** 6 hex digits of a route's name, enough to find it among those that are configured. */
export function routeMark(route: string): string {
  return createHash('sha256').update(route).digest('hex').slice(0, 6)
}
