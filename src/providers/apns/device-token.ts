/** A pushkey as the device token in hex that goes into the path of a request: what cannot be a token never gets there. */

export type TokenFormat = 'auto' | 'base64' | 'hex'

// Apple: "device tokens are of variable length, do not hard-code their size". Real ones have 32 bytes and more; the bounds only keep out
// what is certainly none: a Matrix pushkey has at most 512 characters, so 256 bytes of hex (docs/facts/push-gateway-api.md#lengths).
const MIN_BYTES = 4
const MAX_BYTES = 256
/** As hex it is longest; base64 has room for its line breaks. */
const MAX_CHARACTERS = 2 * MAX_BYTES
/** A hex token is at least 32 bytes; shorter text of hex digits is more likely base64. */
const AUTO_HEX = /^[0-9a-f]{64,}$/i

/** Undefined when it cannot be a device token in that format. */
export function deviceToken(pushkey: string, format: TokenFormat): string | undefined {
  if (pushkey.length > MAX_CHARACTERS) return undefined
  const isHex = format === 'hex' || (format === 'auto' && pushkey.length % 2 === 0 && AUTO_HEX.test(pushkey))
  const hex = isHex ? pushkey : base64ToHex(pushkey)
  const isToken = /^[0-9a-f]+$/i.test(hex) && hex.length % 2 === 0
  return isToken && hex.length >= 2 * MIN_BYTES && hex.length <= MAX_CHARACTERS ? hex : undefined
}

/** In some format: what is a token in another format than the configured one is the operator's mistake, and no stranger's. */
export function isPossibleToken(pushkey: string): boolean {
  return deviceToken(pushkey, 'base64') !== undefined || deviceToken(pushkey, 'hex') !== undefined
}

/** Both alphabets, padding or not, and the line breaks that some encoders add; '' when it is not base64. */
function base64ToHex(text: string): string {
  const digits = text.replaceAll(/\s/g, '').replace(/={0,2}$/, '')
  if (!/^[A-Za-z0-9+/_-]+$/.test(digits) || digits.length % 4 === 1) return ''
  return Buffer.from(digits, 'base64').toString('hex')
}
