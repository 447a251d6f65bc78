/** Python's logging as Sygnal is given it (`log.setup`, a dictConfig): its level and format; the rest is said. Pure. */
import { isJsonObject, type JsonObject, type JsonValue } from '../../core/json.ts'
import { noteUnknown, sectionOf, type Translation } from './translation.ts'

/** docs.python.org/3/library/logging.html#logging-levels, and ours from that number on. */
const LEVELS = [
  { name: 'NOTSET', number: 0, ours: 'debug' },
  { name: 'DEBUG', number: 10, ours: 'debug' },
  { name: 'INFO', number: 20, ours: 'info' },
  { name: 'WARNING', number: 30, ours: 'warn' },
  { name: 'ERROR', number: 40, ours: 'error' },
  { name: 'CRITICAL', number: 50, ours: 'fatal' },
] as const
const ALIASES: ReadonlyMap<string, string> = new Map([
  ['WARN', 'WARNING'],
  ['FATAL', 'CRITICAL'],
])
const PYTHON_DEFAULT = 30
const SETUP = ['log', 'setup']

export function translateLog(log: JsonObject, translation: Translation): void {
  noteUnknown(log, ['setup', 'access'], ['log'], translation)
  const setup = sectionOf(log, ['log'], 'setup', translation)
  if (Object.keys(setup).length > 0) translateSetup(setup, translation)
  const access = sectionOf(log, ['log'], 'access', translation)
  noteUnknown(access, ['file', 'enabled', 'x_forwarded_for'], ['log', 'access'], translation)
  for (const key of ['file', 'enabled', 'x_forwarded_for'])
    if (Object.hasOwn(access, key))
      translation.note(
        'obsolete',
        ['log', 'access', key],
        ['log'],
        'there is no access log: requests are counted in the metrics, and the addresses of homeservers are written nowhere',
      )
}

function translateSetup(setup: JsonObject, translation: Translation): void {
  const root = sectionOf(setup, SETUP, 'root', translation)
  const loggers = sectionOf(setup, SETUP, 'loggers', translation)
  const sygnal = sectionOf(loggers, [...SETUP, 'loggers'], 'sygnal', translation)
  const rootLevel = levelOf(root, [...SETUP, 'root'], translation) ?? PYTHON_DEFAULT
  const ownLevel = levelOf(sygnal, [...SETUP, 'loggers', 'sygnal'], translation) ?? 0
  const handlers = handlersOf(setup, root, sygnal, translation)
  const handlerLevels = handlers.map(
    ({ name, handler }) => levelOf(handler, [...SETUP, 'handlers', name], translation) ?? 0,
  )
  const level = Math.max(ownLevel === 0 ? rootLevel : ownLevel, handlers.length === 0 ? 0 : Math.min(...handlerLevels))
  translation.set(['log', 'level'], ourLevel(level), SETUP)
  translation.set(['log', 'format'], handlers.some(({ isJson }) => isJson) ? 'json' : 'text', SETUP)
  translation.note(
    'differs',
    SETUP,
    ['log'],
    'of the logging of Python, the level and whether lines are JSON are carried over; the layout of a line is our own',
  )
  for (const name of Object.keys(loggers)) if (name !== 'sygnal') noteLogger(name, translation)
  for (const key of ['filters', 'incremental'])
    if (Object.hasOwn(setup, key))
      translation.note('cannot', [...SETUP, key], ['log'], 'has no counterpart: the log is one stream with one level')
}

interface Handler {
  readonly name: string
  readonly handler: JsonObject
  readonly isJson: boolean
}

/** Those that Sygnal's own lines reach. */
function handlersOf(
  setup: JsonObject,
  root: JsonObject,
  sygnal: JsonObject,
  translation: Translation,
): readonly Handler[] {
  const all = sectionOf(setup, SETUP, 'handlers', translation)
  const formatters = sectionOf(setup, SETUP, 'formatters', translation)
  const names = new Set([...namesIn(sygnal), ...(sygnal['propagate'] === false ? [] : namesIn(root))])
  return [...names].map((name) => {
    const path = [...SETUP, 'handlers', name]
    const handler = sectionOf(all, [...SETUP, 'handlers'], name, translation)
    noteHandler(handler, path, translation)
    const formatter = handler['formatter']
    const isJson = typeof formatter === 'string' && looksLikeJson(formatters[formatter])
    return { name, handler, isJson }
  })
}

function namesIn({ handlers }: JsonObject): readonly string[] {
  return Array.isArray(handlers) ? handlers.filter((name: JsonValue) => typeof name === 'string') : []
}

function noteHandler(handler: JsonObject, path: readonly string[], translation: Translation): void {
  const { class: type, stream = 'ext://sys.stderr' } = handler
  if (type !== 'logging.StreamHandler')
    translation.note(
      'cannot',
      path,
      ['log'],
      'Hushgate writes its log to standard output only: let the service manager or the container runtime keep it',
    )
  else if (stream !== 'ext://sys.stdout')
    translation.note('differs', path, ['log'], 'Hushgate writes to standard output, not to standard error')
  if (Object.hasOwn(handler, 'filters'))
    translation.note('cannot', [...path, 'filters'], ['log'], 'Python code is not run; the lines are not filtered')
}

/** `pythonjsonlogger.json.JsonFormatter` and the like, named by `class` or `()`, or a format that spells JSON out. */
function looksLikeJson(formatter: JsonValue | undefined): boolean {
  if (!isJsonObject(formatter)) return false
  const { class: type, '()': factory, format } = formatter
  return (
    [type, factory].some((name) => typeof name === 'string' && /json/i.test(name)) ||
    (typeof format === 'string' && format.trimStart().startsWith('{"'))
  )
}

function noteLogger(name: string, translation: Translation): void {
  translation.note(
    'cannot',
    [...SETUP, 'loggers', name],
    ['log'],
    name === 'sygnal.access'
      ? 'there is no access log: requests are counted in the metrics'
      : 'has no counterpart: it is the name of a part of Sygnal or of a Python library',
  )
}

function levelOf(section: JsonObject, path: readonly string[], translation: Translation): number | undefined {
  const { level } = section
  if (level === undefined || typeof level === 'number') return level
  const name = typeof level === 'string' ? (ALIASES.get(level) ?? level) : undefined
  const known = LEVELS.find((one) => one.name === name)
  if (known === undefined)
    translation.refuse(
      [...path, 'level'],
      'expected a level of Python: DEBUG, INFO, WARNING, ERROR, CRITICAL or a number',
    )
  return known?.number
}

function ourLevel(number: number): string {
  return (LEVELS.find((level) => number <= level.number) ?? LEVELS[5]).ours
}
