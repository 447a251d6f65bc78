/**
 * What is known of a dead pushkey, and what follows for a push to it (docs/decisions.md#dead-pushkeys). Pure.
 * Homeservers ignore `rejected` now and then (Synapse on counts-only requests), and several users may share a pushkey: so it is remembered, not told once
 * (docs/facts/homeservers.md#ignored-rejections).
 */
import { isSameText } from '../core/same-text.ts'

export interface Tombstone {
  /** When the push service says (or we saw) that it died; epoch ms. Compared with `pushkey_ts`. */
  readonly deathMs: number
  /** When we wrote it down. */
  readonly recordedMs: number
  /** The registration under which it was last taken for alive again. */
  readonly revivedBy?: string | undefined
  /** Since then nothing said that it is dead. */
  readonly isRevived: boolean
  /** The last probe of a pushkey without `pushkey_ts`. */
  readonly probedMs?: number | undefined
  /** Of a device that nothing was ever delivered to: anybody can make such devices up. */
  readonly isOfStranger?: boolean | undefined
}

export interface DeviceState {
  readonly pushkeyTs: number | undefined
  /** A keyed hash of device and `pushkey_ts`: remembered in its place, since whoever has a homeserver's database could look that up. */
  readonly registration: string | undefined
  /** Only event pushes revive or probe. */
  readonly kind: 'event' | 'counts'
  /** The rejection guard does not believe this tombstone. */
  readonly isSuspected: boolean
}

export type Judgement =
  | { readonly kind: 'alive' }
  | { readonly kind: 'dead' }
  /** Send it although the pushkey is held to be dead; `next` is to be remembered first. */
  | { readonly kind: 'probe'; readonly next?: Tombstone }

const LIFETIME_MS = 30 * 24 * 3600_000
const STRANGER_LIFETIME_MS = 3600_000
const MINUTE_MS = 60_000
/** `pushkey_ts` is another machine's clock, in whole seconds. */
const CLOCK_SLACK_MS = 60_000
const PROBE_INTERVAL_MS = 24 * 3600_000

export function judge(tombstone: Tombstone | undefined, device: DeviceState, nowMs: number): Judgement {
  if (tombstone === undefined) return { kind: 'alive' }
  const { pushkeyTs, registration } = device
  if (tombstone.isRevived && registration === tombstone.revivedBy) return { kind: 'probe' }
  if (device.isSuspected) return { kind: 'probe' }
  if (device.kind === 'counts') return { kind: 'dead' }
  if (pushkeyTs === undefined) {
    if (nowMs - Math.max(tombstone.recordedMs, tombstone.probedMs ?? 0) < PROBE_INTERVAL_MS) return { kind: 'dead' }
    return { kind: 'probe', next: { ...tombstone, probedMs: nowMs } }
  }
  if (pushkeyTs * 1000 < tombstone.deathMs - CLOCK_SLACK_MS || registration === tombstone.revivedBy)
    return { kind: 'dead' }
  return { kind: 'probe', next: { ...tombstone, revivedBy: registration, isRevived: true } }
}

/** The tombstone after a push service said that the pushkey is dead (since `sinceMs`, if it said). */
export function bury(
  existing: Tombstone | undefined,
  registration: string | undefined,
  sinceMs: number | undefined,
  isOfStranger: boolean,
  nowMs: number,
): Tombstone {
  // Dead again under the registration that revived it: the push service's own date would revive it for ever.
  const diedAgain = registration !== undefined && registration === existing?.revivedBy
  const deathMs = diedAgain ? nowMs : Math.min(sinceMs ?? nowMs, nowMs)
  return { deathMs, recordedMs: nowMs, revivedBy: existing?.revivedBy, isRevived: false, isOfStranger }
}

/** How long it still says something, from when it was written down: a probe lengthens nothing. */
export function leftMsOf({ recordedMs, isOfStranger }: Tombstone, nowMs: number): number {
  return recordedMs + (isOfStranger === true ? STRANGER_LIFETIME_MS : LIFETIME_MS) - nowMs
}

/** The keyed hash of what stands in a tombstone and of the device that it is about. */
export type Sign = (text: string) => string

/**
 * Times in whole minutes, rounded down: nothing here needs more, and who compares them with other records learns less. Signed: a homeserver that is told of a
 * death deletes the pusher, so who can write to the store must not be able to make one up.
 */
export function encodeTombstone(tombstone: Tombstone, sign: Sign): string {
  const { deathMs, recordedMs, revivedBy, isRevived, probedMs, isOfStranger } = tombstone
  const probed = probedMs === undefined ? null : minutes(probedMs)
  const said = [minutes(deathMs), minutes(recordedMs), revivedBy ?? null, isRevived, probed, isOfStranger === true]
  return JSON.stringify([...said, sign(JSON.stringify(said))])
}

function minutes(ms: number): number {
  return Math.floor(ms / MINUTE_MS)
}

/** Undefined where it was not written by a gateway that has the key. */
export function decodeTombstone(text: string, sign: Sign): Tombstone | undefined {
  const value = listIn(text)
  const signature = value.pop()
  if (typeof signature !== 'string' || !isSameText(signature, sign(JSON.stringify(value)))) return undefined
  const [death, recorded, revivedBy, isRevived, probed, isOfStranger] = value
  if (typeof death !== 'number' || typeof recorded !== 'number') return undefined
  return {
    deathMs: death * MINUTE_MS,
    recordedMs: recorded * MINUTE_MS,
    revivedBy: typeof revivedBy === 'string' ? revivedBy : undefined,
    isRevived: isRevived === true,
    probedMs: typeof probed === 'number' ? probed * MINUTE_MS : undefined,
    isOfStranger: isOfStranger === true,
  }
}

/** Nothing of what is no list. */
function listIn(text: string): unknown[] {
  try {
    const value: unknown = JSON.parse(text)
    return Array.isArray(value) ? value : []
  } catch {
    return []
  }
}
