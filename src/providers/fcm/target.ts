/**
 * Registration tokens and installation IDs are printable ASCII, and Google says nothing more of them. Real ones have less than 300 characters; Synapse passes on
 * any length (docs/facts/push-gateway-api.md#lengths). What is no such text need not be asked about, nor stored.
 */
const POSSIBLE_TARGET = /^[\x21-\x7e]{1,4096}$/

export function isPossibleTarget(pushkey: string): boolean {
  return POSSIBLE_TARGET.test(pushkey)
}
