/** What a translation is made of: settings of Hushgate, each with the setting of Sygnal that it comes from; remarks; mistakes. */
import { isJsonObject, jsonObject, type JsonObject, type JsonValue } from '../../core/json.ts'
import type { SettingPath } from '../config-error.ts'

/** `differs`: means something else here. `obsolete`: has no effect. `safer`: could be set to something safer. `risky`: the same, where strangers can do harm.
 * `cannot`: is not carried over. */
export type NoteKind = 'differs' | 'obsolete' | 'safer' | 'risky' | 'cannot'

/** What an operator is told at each start with `--sygnal`. */
export const WARNINGS: ReadonlySet<NoteKind> = new Set(['risky', 'cannot'])

export interface Note {
  readonly kind: NoteKind
  /** The setting in sygnal.yaml; empty for what is not in it. */
  readonly path: SettingPath
  /** The setting of hushgate.yaml above which it is to be read. */
  readonly at: SettingPath
  readonly sentence: string
}

export interface SygnalMistake {
  /** The setting in sygnal.yaml. */
  readonly path: SettingPath
  readonly message: string
}

/** What surrounds the file, as far as Sygnal looks at it. */
export interface Surroundings {
  /** Where files with relative paths are. */
  readonly workingDirectory: string
  /** The environment variable HTTPS_PROXY. */
  readonly httpsProxy: string | undefined
}

interface Tree extends Map<string, Tree | JsonValue> {}

export class Translation {
  readonly notes: Note[] = []
  readonly mistakes: SygnalMistake[] = []
  readonly #settings: Tree = new Map()
  readonly #origins = new Map<string, SettingPath>()

  /** `undefined` only says where the setting would come from. */
  set(at: readonly string[], value: JsonValue | undefined, from: SettingPath): void {
    this.#origins.set(JSON.stringify(at), from)
    if (value === undefined) return
    let tree = this.#settings
    for (const key of at.slice(0, -1)) {
      const existing = tree.get(key)
      const branch: Tree = existing instanceof Map ? existing : new Map()
      tree.set(key, branch)
      tree = branch
    }
    tree.set(at.at(-1) ?? '', value)
  }

  /** Whether a setting of the file's own level has been carried over. */
  has(name: string): boolean {
    return this.#settings.has(name)
  }

  note(kind: NoteKind, path: SettingPath, at: SettingPath, sentence: string): void {
    this.notes.push({ kind, path, at, sentence })
  }

  refuse(path: SettingPath, message: string): void {
    this.mistakes.push({ path, message })
  }

  /** The setting of sygnal.yaml that a setting of Hushgate comes from; the same path where nothing is known of it. */
  originOf(path: SettingPath): SettingPath {
    for (let length = path.length; length > 0; length -= 1) {
      const from = this.#origins.get(JSON.stringify(path.slice(0, length)))
      if (from !== undefined) return [...from, ...path.slice(length)]
    }
    return path
  }

  config(): JsonObject {
    return toObject(this.#settings)
  }
}

function toObject(tree: Tree): JsonObject {
  return jsonObject([...tree].map(([key, value]) => [key, value instanceof Map ? toObject(value) : value] as const))
}

/** A section in a section; one without content is as one that is not there, to Sygnal too. */
export function sectionOf(parent: JsonObject, path: SettingPath, name: string, translation: Translation): JsonObject {
  const section = Object.hasOwn(parent, name) ? parent[name] : undefined
  if (isJsonObject(section)) return section
  if (section !== undefined && section !== null) translation.refuse([...path, name], 'expected a section of settings')
  return jsonObject([])
}

/** Sygnal warns of keys that it does not know, and goes on. `at`: where that is to be read. */
export function noteUnknown(
  section: JsonObject,
  known: readonly string[],
  path: SettingPath,
  translation: Translation,
  at: SettingPath = path.slice(0, 1),
): void {
  for (const key of Object.keys(section))
    if (!known.includes(key))
      translation.note('obsolete', [...path, key], at, 'Sygnal does not know this setting, and ignores it')
}
