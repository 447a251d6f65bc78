/** Encrypts for a device's key: one RFC 8188 record keyed as RFC 8291. Beside the Web Push sender the only import of web-push, which does it there too. */
import type { EncryptForDevice } from '../core/device-key.ts'

/** Loads the library. */
export async function loadEncryptForDevice(): Promise<EncryptForDevice> {
  const { default: webPush } = await import('web-push')
  return ({ kid, p256dh, auth }, plaintext) => {
    try {
      const { cipherText } = webPush.encrypt(p256dh, auth, Buffer.from(plaintext), 'aes128gcm')
      return { kid, record: cipherText.toString('base64url') }
    } catch {
      // Not a point of the curve, which is all that its checks leave open.
      return undefined
    }
  }
}
