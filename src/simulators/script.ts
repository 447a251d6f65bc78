/**
 * How a simulated push service is told its answer: by the device token itself. A token whose text starts with `x<options>-` is
 * answered by script, options joined by dots: `xs503.a2.n1-phone` is 503 with Retry-After: 2 the first time, then accepted.
 */

/** The options, for people: an example of each, and what it does. */
export const SCRIPT_OPTIONS: Readonly<Record<string, string>> = {
  s410: 'this status',
  rUnregistered: "the push service's own word, with the status that goes with it (Apple, Google, Huawei)",
  a2: 'with Retry-After: 2',
  n1: 'only the first time; accepted afterwards',
  o1: 'accepted the first time; the other options count only afterwards',
  d500: '500 milliseconds later',
  hang: 'never',
  rst: 'not at all: the stream or connection is reset',
  goaway: 'and the connection is told to go away (Apple)',
  nobody: 'without a body',
  badjson: 'with a body that is not JSON (Apple, Google, Huawei)',
}

/** What a scripted token asks for; a simulator fills in what is left out. */
export interface Script {
  /** `s503` */
  readonly status?: number | undefined
  /** `rUnregistered`: the push service's own word for it. Alone, the status that goes with it. */
  readonly reason?: string | undefined
  /** `a2`, `aFri`: the text of Retry-After. */
  readonly retryAfter?: string | undefined
  /** `n1`: only so many times, then accepted. */
  readonly times?: number | undefined
  /** `o1`: so many times accepted, before all else. */
  readonly acceptedFirst?: number | undefined
  /** `d50`: answered so much later. */
  readonly delayMs?: number | undefined
  /** `hang`: never answered. */
  readonly hang?: boolean | undefined
  /** `rst`: the stream or connection is reset. */
  readonly reset?: boolean | undefined
  /** `goaway`: the connection is told to go away with the answer. */
  readonly goaway?: boolean | undefined
  /** `nobody`: the answer has no body. */
  readonly emptyBody?: boolean | undefined
  /** `badjson`: the answer's body is not JSON. */
  readonly badJson?: boolean | undefined
}

const WORDS: Readonly<Record<string, Script>> = {
  hang: { hang: true },
  rst: { reset: true },
  goaway: { goaway: true },
  nobody: { emptyBody: true },
  badjson: { badJson: true },
}

/** The script in a token's text; undefined for an ordinary token. */
export function parseScript(tokenText: string): Script | undefined {
  const options = /^x([^-]+)-/.exec(tokenText)?.[1]
  if (options === undefined) return undefined
  let script: Script = {}
  for (const option of options.split('.')) {
    const part = WORDS[option] ?? parseValue(option)
    if (part === undefined) return undefined
    script = { ...script, ...part }
  }
  return script
}

function parseValue(option: string): Script | undefined {
  const [letter, value] = [option.slice(0, 1), option.slice(1)]
  if (/^\d+$/.test(value)) {
    if (letter === 's') return { status: Number(value) }
    if (letter === 'n') return { times: Number(value) }
    if (letter === 'o') return { acceptedFirst: Number(value) }
    if (letter === 'd') return { delayMs: Number(value) }
  }
  if (letter === 'r' && value !== '') return { reason: value }
  if (letter === 'a' && value !== '') return { retryAfter: value }
  return undefined
}

/** Counts how often each token was asked for, so that `n2` applies to the first two. */
export class ScriptedAnswers {
  readonly #asked = new Map<string, number>()
  #all: Script | undefined

  /** Until it is called again every token is answered so, whatever it says; undefined: as each says. `options` as in a token: `s503.a2`. */
  answerAll(options: string | undefined): void {
    this.#all = options === undefined ? undefined : parseScript(`x${options}-`)
  }

  /** Counts one request; undefined when it is to be accepted as usual. */
  next(tokenText: string): Script | undefined {
    if (this.#all !== undefined) return this.#all
    const script = parseScript(tokenText)
    if (script?.times === undefined && script?.acceptedFirst === undefined) return script
    const { acceptedFirst = 0, times = Infinity } = script
    const asked = (this.#asked.get(tokenText) ?? 0) + 1
    this.#asked.set(tokenText, asked)
    return asked <= acceptedFirst || asked > acceptedFirst + times ? undefined : script
  }
}
