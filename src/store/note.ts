/** Notes as a store keeps them: sealed, and all of one length. */
import { UnsealError, type Keyring, type Sealer } from '../core/keyring.ts'

/** So that sealed it takes 128 bytes. */
export const NOTE_BYTES = 95

/** `key`: that of the memory, which is authenticated: a note cannot be put in the place of another. */
export function sealNote(sealer: Sealer | Keyring, key: string, text: string): string {
  return sealer.seal(Buffer.from(text.padEnd(NOTE_BYTES)), key).toString('base64url')
}

/** Undefined when it cannot be opened. */
export function openNote(keyring: Keyring, key: string, sealed: string): string | undefined {
  try {
    return keyring.open(Buffer.from(sealed, 'base64url'), key).toString().trimEnd()
  } catch (error) {
    if (error instanceof UnsealError) return undefined
    throw error
  }
}
