/** The `data` of a message, as FCM takes it and others after it: strings by key, fitted into a limit. */
import type { EncryptedPush } from '../../core/push.ts'
import { truncate, utf8Bytes } from '../../core/text.ts'
import { oncePer } from '../../core/once-per.ts'
import type { JsonObject } from '../../core/json.ts'
import { defaultPayloadRank, leaveOutHopeless, shed, type Field, type Measure, type Rank } from './shed.ts'

/** Keys plus values: firebase.google.com/docs/cloud-messaging/customize-messages/set-message-type */
export const MAX_DATA_BYTES = 4096
/** Sygnal's limit for each value of an event (golden: fcm-1025). */
const MAX_VALUE_BYTES = 1024

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

interface DataField extends Field {
  readonly key: string
  readonly value: string
  /** Text may be shortened; anything else is whole or gone. */
  readonly isText: boolean
}

const MEASURE: Measure<DataField> = {
  bytesOf: ({ key, value }) => utf8Bytes(key) + utf8Bytes(value),
  lengthOf: ({ value }) => utf8Bytes(value),
  textBytes: utf8Bytes,
  mayShorten: ({ isText }) => isText,
}

/** Keys that Google refuses (ErrorCode reference: "from", "gcm", prefix "google"; message_type), or takes for itself. */
const RESERVED_KEY = /^(?:(?:from|message_type|notification|collapse_key)$|gcm|google)/
/** firebase-admin leaves these out of every object it copies. */
const UNCOPIED_KEYS = new Set(['__proto__', 'constructor', 'prototype'])

/** Fields of one kind for all devices of a notification, and whether something of them is cut already. */
interface Shaped {
  readonly fields: readonly DataField[]
  readonly isCut: boolean
}

/** The texts of an event's content, shaped once for all devices. `maxBytes`: of the data. */
export function contentShaper(maxBytes: number): (content: JsonObject) => Shaped {
  return oncePer((content) => {
    const shaped = Object.entries(content).flatMap(([key, value]) =>
      typeof value === 'string' ? [textField(`content_${key}`, value)] : [],
    )
    const { fields, isCut } = leaveOutHopeless(
      shaped.map(({ field }) => field),
      maxBytes,
      MEASURE,
    )
    return { fields, isCut: isCut || shaped.some((each) => each.isCut) }
  })
}

/** A field of the event. */
function textField(key: string, text: string): { readonly field: DataField; readonly isCut: boolean } {
  const value = truncate(text, MAX_VALUE_BYTES)
  const rank = RANKS[key] ?? 'content'
  return { field: wellFormed({ key, value, rank, isText: rank !== 'ids' }), isCut: value !== text }
}

/** A lone surrogate has no UTF-8; its replacement has the same three bytes by which it was counted. */
function wellFormed(field: DataField): DataField {
  return { ...field, key: field.key.toWellFormed(), value: field.value.toWellFormed() }
}

/** Collects the data of one message; a key set again keeps its place and takes the new value, as in Sygnal. */
export class DataBuilder {
  readonly #fields = new Map<string, DataField>()
  #cut = false

  /**
   * A value of pusher data. Google takes strings only and answers anything else with 400 for the whole message (golden: fcm-dp-numbers), so
   * other values go as their JSON, which an app that wants them can read; null says nothing and is left out.
   */
  addDefault(key: string, value: unknown): void {
    const text = typeof value === 'string' ? value : value === null ? undefined : JSON.stringify(value)
    if (text === undefined || RESERVED_KEY.test(key) || UNCOPIED_KEYS.has(key)) return
    const rank = defaultPayloadRank(utf8Bytes(text))
    this.#set({ key, value: text, rank, isText: false })
  }

  /** A field of the event. */
  addText(key: string, text: string | undefined): void {
    if (text === undefined) return
    const { field, isCut } = textField(key, text)
    this.addShaped({ fields: [field], isCut })
  }

  addShaped({ fields, isCut }: Shaped): void {
    this.#cut ||= isCut
    for (const field of fields) this.#fields.set(field.key, field)
  }

  /** Something of ours: short, and never left out. */
  addKept(key: string, value: string): void {
    this.#set({ key, value, rank: 'kept', isText: false })
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
    const fields = [...this.#fields.values()]
    const excessBytes = fields.reduce((sum, field) => sum + MEASURE.bytesOf(field), -maxBytes)
    const fitted = excessBytes > 0 ? shed(fields, excessBytes, MEASURE) : fields
    const data = Object.fromEntries(fitted.map(({ key, value }) => [key, value]))
    return { data, truncated: this.#cut || excessBytes > 0 }
  }

  #set(field: DataField): void {
    const fixed = wellFormed(field)
    this.#fields.set(fixed.key, fixed)
  }
}
