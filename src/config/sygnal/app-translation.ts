/** One app's section, setting by setting: what apps of all kinds need to be carried over. Pure. */
import { resolve } from 'node:path'
import type { JsonObject, JsonValue } from '../../core/json.ts'
import { noteUnknown, type NoteKind, type Surroundings, type Translation } from './translation.ts'

export class AppTranslation {
  /** The section in sygnal.yaml. */
  readonly options: JsonObject
  readonly #path: readonly string[]
  readonly #surroundings: Surroundings
  readonly #translation: Translation

  constructor(name: string, options: JsonObject, surroundings: Surroundings, translation: Translation) {
    this.options = options
    this.#path = ['apps', name]
    this.#surroundings = surroundings
    this.#translation = translation
  }

  /** Given, and not as the empty text, which to Sygnal is as good as nothing. */
  has(key: string): boolean {
    return Object.hasOwn(this.options, key) && this.options[key] !== ''
  }

  /** Whether push services are reached through a proxy. */
  get isProxied(): boolean {
    return this.#translation.has('proxy')
  }

  set(name: string, value: JsonValue | undefined, from: string): void {
    this.#translation.set([...this.#path, name], value, [...this.#path, from])
  }

  copy(key: string, name: string): void {
    this.set(name, this.has(key) ? this.options[key] : undefined, key)
  }

  copyFile(key: string, name: string): void {
    const path = this.has(key) ? this.options[key] : undefined
    this.set(name, typeof path === 'string' ? resolve(this.#surroundings.workingDirectory, path) : path, key)
  }

  /** `send_badge_counts`, which Sygnal has for APNs and FCM. */
  copyCounts(): void {
    this.set('counts', this.isTrue('send_badge_counts', true) ? undefined : 'none', 'send_badge_counts')
  }

  isTrue(key: string, fallback: boolean): boolean {
    const { [key]: value = fallback } = this.options
    if (typeof value !== 'boolean') this.refuse(key, 'expected true or false')
    return value === true
  }

  note(kind: NoteKind, key: string | readonly string[], sentence: string, at?: string): void {
    this.#translation.note(
      kind,
      [...this.#path, ...[key].flat()],
      at === undefined ? this.#path : [...this.#path, at],
      sentence,
    )
  }

  noteIgnored(keys: readonly string[], sentence: string): void {
    for (const key of keys) if (this.has(key)) this.note('obsolete', key, sentence)
  }

  noteUnknown(known: readonly string[]): void {
    noteUnknown(this.options, ['type', 'inflight_request_limit', ...known], this.#path, this.#translation, this.#path)
    this.noteIgnored(
      ['inflight_request_limit'],
      'Sygnal refuses what comes when so many are on their way. Hushgate keeps it in its queue; see queue.concurrency and queue.high_water',
    )
  }

  refuse(key: string, message: string): void {
    this.#translation.refuse([...this.#path, key], message)
  }
}
