/** The operator's mistakes: all of them at once, each with the place where it can be mended. */

/** Where a setting is: keys and list indexes from the top of the file. */
export type SettingPath = readonly (string | number)[]

export interface Mistake {
  /** `apps["com.example.ios"].key_file`; empty when it is about the file itself. */
  readonly path: string
  /** The configuration file, absolute. */
  readonly file: string
  /** 1 is the first; absent when the mistake is in no line of the file. */
  readonly line?: number | undefined
  /** A sentence that says what is wrong. Never holds the value of a secret. */
  readonly message: string
}

/** Files by absolute path, with a hash of what was in them; undefined for one that could not be read. */
export type FileHashes = ReadonlyMap<string, string | undefined>

export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly mistakes: readonly Mistake[]
  /** What this attempt looked at: watched, so that mending one of them is noticed. */
  readonly files: FileHashes

  constructor(mistakes: readonly Mistake[], files: FileHashes = new Map()) {
    super(mistakes.map(formatMistake).join('\n'))
    this.mistakes = mistakes
    this.files = files
  }
}

/** `file:line: path: message`, as compilers write it, so that editors find the place. What is said of the file itself names it already. */
export function formatMistake({ file, line, path, message }: Mistake): string {
  if (path === '' && message.startsWith(`${file} `)) return message
  const place = line === undefined ? file : `${file}:${line}`
  return path === '' ? `${place}: ${message}` : `${place}: ${path}: ${message}`
}

export function formatPath(path: SettingPath): string {
  let text = ''
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`
    else if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(step)) text += `[${JSON.stringify(step)}]`
    else text += text === '' ? step : `.${step}`
  }
  return text
}
