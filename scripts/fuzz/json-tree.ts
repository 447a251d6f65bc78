/** JSON that can hold what no JavaScript value can: keys twice, numbers beyond any, halves of characters. Changed at random places. */
import type { JsonValue } from '../../src/core/json.ts'
import type { Random } from './random.ts'

/** Text as it stands, a list, or members with their keys as they stand. */
export type Tree = string | Tree[] | Members
interface Members {
  readonly entries: [key: string, value: Tree][]
}

/** Names that mean something to JavaScript, to a parser or to us. */
const NAMES =
  `__proto__ constructor prototype toString hasOwnProperty valueOf then length toJSON notification devices app_id pushkey pushkey_ts data
  default_payload aps alert loc-args loc-key hushgate_key v kid p256dh auth endpoint event_id room_id type content body counts unread missed_calls prio
  ephemeral ciphertext mac tweaks format only_last_per_room events_only`
    .split(/\s+/)
    .map((name) => JSON.stringify(name))

const VALUES = [
  ...'null true false 0 -0 -1 1.5 1e308 1e999 -1e999 1e-999 9007199254740993 123456789012345678901234567890'.split(' '),
  ...'"" "x" "0" "null" "\\ud800" "\\udc00\\ud800" "\\u0000" "\\u2028\\u2029" "\\ufeff" "\ufffd" "\u202e" "e\u0301"'.split(
    ' ',
  ),
  ...'[] [[]] [null] ["x"] {} {"x":null} {"":""} {"__proto__":{"x":1}} {"constructor":{"prototype":{"x":1}}}'.split(
    ' ',
  ),
  // None of these is JSON.
  ...'NaN undefined Infinity 01 +1 .5 1. 0x10 \'x\' "\n" "\\x" "\\u12" [1,] {"a":1,} {a:1} /**/1 tru'.split(' '),
]
/** Of a body 512 KiB at most are taken. */
const MOST_TEXT = 600_000
const MOST_DEPTH = 50_000
const MOST_ELEMENTS = 90_000
const LARGE_ONCE_IN = 60

export function treeOf(value: JsonValue): Tree {
  if (Array.isArray(value)) return value.map((each: JsonValue) => treeOf(each))
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  return { entries: Object.entries(value).map(([key, each]) => [JSON.stringify(key), treeOf(each ?? null)]) }
}

export function textOf(tree: Tree): string {
  if (typeof tree === 'string') return tree
  if (Array.isArray(tree)) return `[${tree.map(textOf).join()}]`
  return `{${tree.entries.map(([key, value]) => `${key}:${textOf(value)}`).join()}}`
}

/** The same, with something in it that should not be there, or without something that should. */
export function mutate(tree: Tree, random: Random): Tree {
  if (typeof tree === 'string' || random.once(8)) return change(tree, random)
  const children = Array.isArray(tree) ? tree : tree.entries
  if (children.length === 0) return change(tree, random)
  const at = random.under(children.length)
  if (Array.isArray(tree)) return tree.with(at, mutate(tree[at] ?? 'null', random))
  const [key, value] = tree.entries[at] ?? ['""', 'null']
  return { entries: tree.entries.with(at, [key, mutate(value, random)]) }
}

function change(tree: Tree, random: Random): Tree {
  if (typeof tree === 'string' || random.once(3)) return strange(random)
  if (Array.isArray(tree)) {
    const at = random.under(tree.length + 1)
    return random.once(2) ? tree.toSpliced(at, 1) : tree.toSpliced(at, 0, random.once(2) ? strange(random) : tree)
  }
  const { entries } = tree
  const at = random.under(entries.length + 1)
  const [key, value] = entries[at] ?? [random.pick(NAMES), strange(random)]
  const changed: (() => Members)[] = [
    () => ({ entries: entries.toSpliced(at, 1) }),
    () => ({ entries: entries.toSpliced(at, 0, [random.pick(NAMES), strange(random)]) }),
    // The same key again.
    () => ({ entries: [...entries, [key, random.once(2) ? strange(random) : value]] }),
    () => ({ entries: entries.toSpliced(at, 1, [random.pick(NAMES), value]) }),
    () => ({ entries: entries.toSpliced(at, 1, [key, tree]) }),
  ]
  return random.pick(changed)()
}

function strange(random: Random): Tree {
  return random.once(LARGE_ONCE_IN) ? large(random) : random.pick(VALUES)
}

/** Deep, long, or many. */
function large(random: Random): string {
  const units = ['x', '\\ud83d', '\\u0000', '\u{1f468}\u200d\u{1f469}', '\u0301', '"\\""'.slice(1, 3), 'ü']
  const makes: (() => string)[] = [
    () => repeat(random, '[', MOST_DEPTH),
    () => {
      const depth = random.size(MOST_DEPTH)
      return '['.repeat(depth) + ']'.repeat(depth)
    },
    () => {
      const depth = random.size(MOST_DEPTH)
      return `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`
    },
    () => `"${repeat(random, random.pick(units), MOST_TEXT / 6)}"`,
    () => repeat(random, '9', MOST_TEXT / 6),
    () => `[${repeat(random, '0,', MOST_ELEMENTS)}0]`,
    () => `{${Array.from({ length: random.size(MOST_ELEMENTS / 4) }, (_, at) => `"k${at}":${at}`).join()}}`,
    () => `{${repeat(random, '"__proto__":{},', MOST_ELEMENTS / 8)}"x":1}`,
  ]
  return random.pick(makes)()
}

function repeat(random: Random, text: string, most: number): string {
  return text.repeat(random.size(most))
}
