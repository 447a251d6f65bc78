/** Of the configuration that is in use: since when, whether there is a newer one that was refused, and what of it waits for a restart. */
import type { Config } from './config.ts'
import { restartOnly } from './reload.ts'

export interface ConfigurationState {
  readonly loadedAtMs: number
  /** False: the newest file was refused. */
  readonly isNewest: boolean
  /** Settings, by their path in the file. */
  readonly pendingRestarts: string[]
}

export class ConfigInUse {
  /** The settings that only a restart changes are as it has them. */
  readonly #initial: Config
  #current: Config
  #loadedAtMs: number
  #isNewest = true

  constructor(config: Config, nowMs: number) {
    this.#initial = this.#current = config
    this.#loadedAtMs = nowMs
  }

  get state(): ConfigurationState {
    return {
      loadedAtMs: this.#loadedAtMs,
      isNewest: this.#isNewest,
      pendingRestarts: restartOnly(this.#initial, this.#current),
    }
  }

  replaced(config: Config, nowMs: number): void {
    this.#current = config
    this.#loadedAtMs = nowMs
    this.#isNewest = true
  }

  refused(): void {
    this.#isNewest = false
  }
}
