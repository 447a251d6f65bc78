/** The `data` of a message: strings by key, fitted into what FCM takes. */
import type { EncryptedPush } from '../../core/push.ts'
import { truncate, utf8Bytes } from '../../core/text.ts'

/** Keys plus values: firebase.google.com/docs/cloud-messaging/customize-messages/set-message-type */
export const MAX_DATA_BYTES = 4096
/** Sygnal's limit for each value of an event (golden: fcm-1025). */
const MAX_VALUE_BYTES = 1024
/** Below this a text says too little to be worth its key. */
const MIN_TEXT_BYTES = 32
/** A value of default_payload up to this size is a constant that the app needs (`cs`, `session_id`); beyond, it is content. */
const MAX_CONSTANT_BYTES = 128

/** What goes when the data is too large, from what is missed least; within a row the longest first. */
const SHED_ORDER = [
  'markup', // content_formatted_body: the body again
  'ciphertext', // of no use once cut; an app fetches the event by its ID
  'content', // every other content_*
  'default payload', // its values over 128 bytes
  'room_alias',
  'body', // content_body
  'names', // who and where: what a notification is headed with
  'kind', // type, membership, content_msgtype
  'constants', // small values of default_payload, without which Element X drops the push
  'ids', // event_id, room_id: all that is needed to fetch the rest
] as const
/** `kept`: our own few bytes (prio, counts), and what was sealed for the device and has been measured before. */
type Rank = (typeof SHED_ORDER)[number] | 'kept'

const RANKS: Readonly<Record<string, Rank>> = {
  event_id: 'ids',
  room_id: 'ids',
  type: 'kind',
  membership: 'kind',
  sender: 'names',
  sender_display_name: 'names',
  room_name: 'names',
  room_alias: 'room_alias',
  content_body: 'body',
  content_msgtype: 'kind',
  content_formatted_body: 'markup',
  content_ciphertext: 'ciphertext',
}

interface Field {
  readonly value: string
  readonly rank: Rank
  /** Text may be shortened; anything else is whole or gone. */
  readonly isText: boolean
}

/** Keys that Google refuses (ErrorCode reference: "from", "gcm", prefix "google"; message_type), or takes for itself. */
const RESERVED_KEY = /^(?:(?:from|message_type|notification|collapse_key)$|gcm|google)/
/** firebase-admin leaves these out of every object it copies. */
const UNCOPIED_KEYS = new Set(['__proto__', 'constructor', 'prototype'])

/** Collects the data of one message; a key set again keeps its place and takes the new value, as in Sygnal. */
export class DataBuilder {
  readonly #fields = new Map<string, Field>()
  #cut = false

  /**
   * A value of pusher data. Google takes strings only and answers anything else with 400 for the whole message (golden: fcm-dp-numbers), so
   * other values go as their JSON, which an app that wants them can read; null says nothing and is left out.
   */
  addDefault(key: string, value: unknown): void {
    const text = typeof value === 'string' ? value : value === null ? undefined : JSON.stringify(value)
    if (text === undefined || RESERVED_KEY.test(key) || UNCOPIED_KEYS.has(key)) return
    const rank = utf8Bytes(text) > MAX_CONSTANT_BYTES ? 'default payload' : 'constants'
    this.#set(key, { value: text, rank, isText: false })
  }

  /** A field of the event. */
  addText(key: string, text: string | undefined): void {
    if (text === undefined) return
    const value = truncate(text, MAX_VALUE_BYTES)
    if (value !== text) this.#cut = true
    const rank = RANKS[key] ?? 'content'
    this.#set(key, { value, rank, isText: rank !== 'ids' })
  }

  /** Something of ours: short, and never left out. */
  addKept(key: string, value: string): void {
    this.#set(key, { value, rank: 'kept', isText: false })
  }

  /** MSC3013: the three keys whole, or, when they do not fit beside what is kept, a bare wake-up. */
  addEncrypted({ ephemeral, ciphertext, mac }: EncryptedPush, maxBytes: number): void {
    const encrypted = Object.entries({ ephemeral, ciphertext, mac })
    const kept = [...this.#fields].filter(([, { rank }]) => rank === 'kept').map(([key, { value }]) => [key, value])
    const bytes = [...encrypted, ...kept].flat().reduce((sum, text) => sum + utf8Bytes(text), 0)
    this.#cut ||= bytes > maxBytes
    for (const [key, value] of bytes > maxBytes ? [['sync', '1'] as const] : encrypted) this.addKept(key, value)
  }

  /** Fits everything into `maxBytes` and says whether anything had to give. */
  build(maxBytes: number): { readonly data: Readonly<Record<string, string>>; readonly truncated: boolean } {
    const shed = this.#shed(maxBytes)
    const entries = [...this.#fields].map(([key, { value }]) => [key, value] as const)
    return { data: Object.fromEntries(entries), truncated: this.#cut || shed }
  }

  #set(key: string, field: Field): void {
    // A lone surrogate has no UTF-8; its replacement has the same three bytes by which it was counted.
    this.#fields.set(key.toWellFormed(), { ...field, value: field.value.toWellFormed() })
  }

  #shed(maxBytes: number): boolean {
    const sized = [...this.#fields].map(([key, field]) => ({ key, field, bytes: utf8Bytes(field.value) }))
    let excess = sized.reduce((sum, { key, bytes }) => sum + utf8Bytes(key) + bytes, 0) - maxBytes
    if (excess <= 0) return false
    const candidates = SHED_ORDER.flatMap((rank) =>
      sized.filter(({ field }) => field.rank === rank).sort((a, b) => b.bytes - a.bytes),
    )
    for (const { key, field, bytes } of candidates) {
      if (excess <= 0) break
      const shorter = field.isText ? truncate(field.value, bytes - excess) : ''
      if (utf8Bytes(shorter) >= MIN_TEXT_BYTES) {
        this.#fields.set(key, { ...field, value: shorter })
        excess -= bytes - utf8Bytes(shorter)
      } else {
        this.#fields.delete(key)
        excess -= bytes + utf8Bytes(key)
      }
    }
    return true
  }
}
