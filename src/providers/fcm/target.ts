/** Registration tokens and installation IDs are printable ASCII; what is not need not be asked about. */
const POSSIBLE_TARGET = /^[\x21-\x7e]+$/

export function isPossibleTarget(pushkey: string): boolean {
  return POSSIBLE_TARGET.test(pushkey)
}
