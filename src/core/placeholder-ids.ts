/** IDs for apps that drop a push without any (docs/facts/apps.md#placeholder-ids): well-formed, random, new for each push. */

const EVENT_BYTES = 32
const ROOM_LETTERS = 18
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** A class, and made of random bytes alone, so that to the compiler no other IDs are these. */
export class PlaceholderIds {
  readonly #eventId: string
  readonly #roomId: string

  constructor(randomBytes: (count: number) => Uint8Array) {
    this.#eventId = `$${Buffer.from(randomBytes(EVENT_BYTES)).toString('base64url')}`
    const letters = Array.from(randomBytes(ROOM_LETTERS), (byte) => LETTERS.charAt(byte % LETTERS.length))
    this.#roomId = `!${letters.join('')}:placeholder.invalid`
  }

  get eventId(): string {
    return this.#eventId
  }

  get roomId(): string {
    return this.#roomId
  }
}
