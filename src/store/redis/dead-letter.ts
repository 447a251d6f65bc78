/** What is stored of a dead letter: facts in clear, and the delivery sealed. */
import { isJsonObject } from '../../core/json.ts'
import type { Keyring } from '../../core/keyring.ts'
import type { DeadLetter } from '../contract.ts'
import { sealToBase64 } from './base64-envelope.ts'
import type { JobItem, JobRecord } from './job.ts'

export interface NewDeadLetter {
  readonly id: string
  readonly reason: string
  readonly attempts: number
  readonly acceptedAtMs: number
  /** Base64. A job that cannot be opened stays sealed as it was: a whole batch can be one dead letter. */
  readonly sealed: string
}

export function deadLetterOf(keyring: Keyring, { delivery, attempt }: JobItem, reason: string): NewDeadLetter {
  const { id, route, acceptedAtMs } = delivery
  return { id, reason, attempts: attempt, acceptedAtMs, sealed: sealToBase64(keyring, route, [delivery]) }
}

/** Of a whole job, as it is. */
export function deadLetterOfJob(
  jobId: string,
  { attempt, acceptedAtMs, sealed }: JobRecord,
  reason: string,
): NewDeadLetter {
  return { id: jobId, reason, attempts: attempt, acceptedAtMs, sealed }
}

/** The facts of a dead letter as JSON. */
export function writeFacts({ reason, attempts, acceptedAtMs }: NewDeadLetter, diedAtMs: number): string {
  return JSON.stringify({ reason, attempts, acceptedAtMs, diedAtMs })
}

/** Undefined when they cannot be read. */
export function readFacts(route: string, id: string, json: string): DeadLetter | undefined {
  const facts: unknown = json === '' ? undefined : JSON.parse(json)
  if (!isJsonObject(facts)) return undefined
  const { reason, attempts, acceptedAtMs, diedAtMs } = facts
  if (typeof reason !== 'string' || typeof attempts !== 'number') return undefined
  if (typeof acceptedAtMs !== 'number' || typeof diedAtMs !== 'number') return undefined
  return { id, route, reason, attempts, acceptedAtMs, diedAtMs }
}
