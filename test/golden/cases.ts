/** The recorded cases of Sygnal 0.17: what was posted, what it answered, and what reached the push services. */
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import type { JsonObject } from '../../src/core/json.ts'

export interface GoldenPush {
  readonly service: 'apns' | 'fcm' | 'fcm_legacy' | 'webpush'
  /** The device token as text; for Web Push the end of the endpoint's path. */
  readonly token: string
  readonly headers: Readonly<Record<string, unknown>>
  readonly json: JsonObject
}

export interface GoldenCase {
  readonly name: string
  readonly what: string
  readonly request: {
    readonly method: string
    readonly path: string
    readonly headers: Readonly<Record<string, string>>
    readonly json?: JsonObject
    readonly body_b64?: string
  }
  readonly response: {
    readonly status: number | null
    readonly body?: string
    readonly json?: unknown
    readonly contentType?: string
  }
  readonly pushes: readonly GoldenPush[]
}

export function readCases(): readonly GoldenCase[] {
  return readFixture('golden.json.gz')
}

/** The same of one more Sygnal 0.17, as it is installed from PyPI: requests as they come over HTTP, and what a browser's subscription says. */
export function readMoreCases(): readonly GoldenCase[] {
  return readFixture('sygnal-more.json.gz')
}

function readFixture(name: string): readonly GoldenCase[] {
  return JSON.parse(gunzipSync(readFileSync(new URL(`../fixtures/${name}`, import.meta.url))).toString())
}
