/** Which of an app's push services a pusher is for: by what its pushkey looks like, and by what its data say. Pure. */
import type { JsonObject } from './json.ts'

/** `url`: an https address. `json`: a JSON object. `token`: anything else. */
export const PUSHKEY_SHAPES = ['url', 'json', 'token'] as const
export type PushkeyShape = (typeof PUSHKEY_SHAPES)[number]

/** All that is said must be so. */
export interface PusherMatch {
  readonly pushkey?: PushkeyShape | undefined
  /** Values of the pusher's data, by their keys. */
  readonly data?: Readonly<Record<string, string | number | boolean>> | undefined
}

export function shapeOf(pushkey: string): PushkeyShape {
  if (/^https:\/\//i.test(pushkey)) return 'url'
  return /^\s*\{/.test(pushkey) ? 'json' : 'token'
}

export function isMatch(
  { pushkey: shape, data: wanted = {} }: PusherMatch,
  pushkey: string,
  data: JsonObject,
): boolean {
  if (shape !== undefined && shape !== shapeOf(pushkey)) return false
  return Object.entries(wanted).every(([key, value]) => Object.hasOwn(data, key) && data[key] === value)
}
