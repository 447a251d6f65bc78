/** What became of each notification, from all that was seen outside of the gateway. Pure. */
import type { Fate, Notice } from './notices.ts'

export const VERDICTS = [
  'delivered once',
  'delivered again',
  'merged',
  'rejected',
  'dead-lettered',
  'expired',
  'delivered under another id',
  'never acknowledged',
  'unknown',
] as const
export type Verdict = (typeof VERDICTS)[number]

/** One request at a push service. */
export interface Arrival {
  readonly token: string
  /** `apns-id`, and `apns-collapse-id` or the topic of Web Push; undefined where there is none. */
  readonly id: string | undefined
  readonly collapseId: string | undefined
  /** Undefined: there was no answer. */
  readonly status: number | undefined
  readonly atMs: number
}

/** A notification at the notify port. */
export interface Posted {
  readonly firstAtMs: number
  /** Of the answer 200; undefined while there is none. */
  readonly acknowledgedAtMs: number | undefined
}

export interface Evidence {
  readonly arrivals: readonly Arrival[]
  readonly posted: ReadonlyMap<Notice, Posted>
  /** How many there are; nothing in one says whose it is. */
  readonly deadLetters: number
}

export interface Account {
  readonly notice: Notice
  readonly verdict: Verdict
  readonly arrivals: readonly Arrival[]
}

const RIGHT: Readonly<Record<Fate, readonly Verdict[]>> = {
  delivered: ['delivered once', 'delivered again'],
  merged: ['merged'],
  rejected: ['rejected'],
  'dead-lettered': ['dead-lettered'],
  expired: ['expired'],
}
const GONE = 410
/** With a Retry-After beyond the life of a call. */
const LATER = 429
/** What a push service says of the push itself: there is no other attempt. */
const FINAL = [400, 404, 413]

/** Of the notifications that can only be dead letters, no more are than there are dead letters. */
export function account(notices: readonly Notice[], evidence: Evidence): readonly Account[] {
  const byToken = Map.groupBy(evidence.arrivals, ({ token }) => token)
  let deadLetters = evidence.deadLetters
  return notices.map((notice) => {
    const arrivals = byToken.get(notice.token) ?? []
    const verdict = verdictOf(notice, arrivals, evidence)
    if (verdict !== 'dead-lettered') return { notice, verdict, arrivals }
    deadLetters -= 1
    return { notice, verdict: deadLetters < 0 ? 'unknown' : verdict, arrivals }
  })
}

/** A verdict that is known is not yet right: what a push service takes must not become a dead letter. */
export function isRight({ notice, verdict }: Account): boolean {
  return RIGHT[notice.fate].includes(verdict)
}

function verdictOf(notice: Notice, arrivals: readonly Arrival[], evidence: Evidence): Verdict {
  const { firstAtMs, acknowledgedAtMs } = evidence.posted.get(notice) ?? {}
  if (firstAtMs === undefined || acknowledgedAtMs === undefined) return 'never acknowledged'
  const accepted = arrivals.filter(({ status }) => isAccepted(status))
  // The device was woken after the event came into being: it will find it.
  if (notice.fate === 'merged') return accepted.some(({ atMs }) => atMs >= firstAtMs) ? 'merged' : 'unknown'
  const names = new Set(arrivals.map(({ id, collapseId }) => `${id} ${collapseId}`))
  if (names.size > 1) return 'delivered under another id'
  if (accepted.length > 0) return accepted.length === 1 ? 'delivered once' : 'delivered again'
  if (arrivals.some(({ status }) => status === GONE)) return 'rejected'
  if (arrivals.some(({ status = 0 }) => FINAL.includes(status))) return 'dead-lettered'
  // Only what was seen to be told a time after its end: a call that nobody tried to deliver is lost.
  return notice.fate === 'expired' && arrivals.some(({ status }) => status === LATER) ? 'expired' : 'unknown'
}

/** Web Push says 201. */
function isAccepted(status: number | undefined): boolean {
  return status === 200 || status === 201
}

export function countVerdicts(accounts: readonly Account[]): ReadonlyMap<Verdict, number> {
  const counts = Map.groupBy(accounts, ({ verdict }) => verdict)
  return new Map(VERDICTS.map((verdict) => [verdict, counts.get(verdict)?.length ?? 0]))
}
