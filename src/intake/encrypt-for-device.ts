/** Encrypts for the key of a device: one RFC 8188 record keyed as RFC 8291, as for a browser. */
import type { EncryptForDevice } from '../core/device-key.ts'
import { encrypt } from '../core/encrypt.ts'

export const encryptForDevice: EncryptForDevice = ({ kid, p256dh, auth }, plaintext) => {
  const record = encrypt(plaintext, { p256dh, auth })
  return record === undefined ? undefined : { kid, record: record.toString('base64url') }
}
