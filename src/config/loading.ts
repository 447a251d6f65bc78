/** What the parts of loading share: the file being read, where its settings are, what is wrong so far, which files were looked at. */
import { dirname, resolve } from 'node:path'
import type { Findings } from './check-value.ts'
import { ConfigError, formatPath, type Mistake, type SettingPath } from './config-error.ts'
import { readText } from './files.ts'
import type { Source } from './yaml-source.ts'

export interface Loading extends Findings {
  readonly file: string
  readonly files: Map<string, string | undefined>
  /** Set once the file is read; before that every mistake comes with its line. */
  source: Source | undefined
  reportAt(path: SettingPath, line: number, message: string): void
  /** Not wrong enough to refuse the configuration. */
  readonly warnings: Mistake[]
  warn(path: SettingPath, message: string): void
  warnAt(path: SettingPath, line: number, message: string): void
  /** A path as it is written in the file, made absolute. */
  resolve(path: string): string
  /** Reads a file that a setting names; undefined and reported when that cannot be done. It is watched from now on. */
  read(path: string, setting: SettingPath): Promise<string | undefined>
  /** Does nothing when nothing is wrong. */
  throwMistakes(): void
}

export function startLoading(file: string): Loading {
  const files = new Map<string, string | undefined>()
  const mistakes: Mistake[] = []
  const lineOf = (path: SettingPath): number => loading.source?.lineOf(path) ?? 1
  const nameOf = (path: SettingPath): string => formatPath(loading.source?.nameOf?.(path) ?? path)
  /** A file's name from an environment variable is shown as it is written: the variable may hold a secret that does not belong there. */
  const shown = (path: SettingPath, message: string): string => {
    const { written, filled } = loading.source?.filledIn?.(path) ?? { written: '', filled: '' }
    return filled === '' ? message : message.replaceAll(loading.resolve(filled), written)
  }
  const loading: Loading = {
    file,
    files,
    source: undefined,
    warnings: [],
    reportAt: (path, line, message) => mistakes.push({ path: nameOf(path), file, line, message }),
    report: (path, message) => loading.reportAt(path, lineOf(path), shown(path, message)),
    warnAt: (path, line, message) => loading.warnings.push({ path: nameOf(path), file, line, message }),
    warn: (path, message) => loading.warnAt(path, lineOf(path), message),
    isReported: (path) => mistakes.some((mistake) => mistake.path === nameOf(path)),
    isFromEnvironment: (path) => loading.source?.isFromEnvironment(path) ?? false,
    resolve: (path) => resolve(loading.source?.folder ?? dirname(file), path),
    read: async (path, setting) => {
      const { text, hash, problem } = await readText(path)
      files.set(path, hash)
      if (problem !== undefined) loading.report(setting, problem)
      return text
    },
    throwMistakes: () => {
      const sorted = mistakes.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0))
      if (sorted.length > 0) throw new ConfigError(sorted, files)
    },
  }
  return loading
}
