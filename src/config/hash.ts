/** Whether two processes run with the same settings. */
import { createHash } from 'node:crypto'
import type { Config } from './config.ts'

const HASH_LETTERS = 12

/** Of the settings, by which nothing of them can be told. Secrets are not among them, nor what the files hold that they name, nor where the file lies. */
export function hashOfSettings({ file: _file, files: _files, warnings: _warnings, ...settings }: Config): string {
  const text = JSON.stringify(settings, (_key, value: unknown) => (value instanceof Map ? [...value] : value))
  return createHash('sha256').update(text).digest('hex').slice(0, HASH_LETTERS)
}
