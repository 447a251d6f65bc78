/** Push tokens are printable ASCII, and Huawei says nothing more of them. Real ones have about 130 characters. */
const POSSIBLE_TOKEN = /^[\x21-\x7e]{1,4096}$/

export function isPossibleToken(pushkey: string): boolean {
  return POSSIBLE_TOKEN.test(pushkey)
}
