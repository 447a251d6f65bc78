/** What an operator is told of a gateway by each of its tools, in the words of the tool, without what is another in each run. */
import { readFile } from 'node:fs/promises'
import { runHushgate, type HushgateFolder, type HushgateProcess, type LogLine } from './hushgate-process.ts'

export const TOOLS = {
  check: '`check --online`',
  status: '`status`',
  find: '`find`',
  unknown: '`apps unknown`',
  api: '`GET /api/v1/status`',
  log: 'the log',
} as const

/** A tool that is missing was not asked. */
export type Said = { readonly [Tool in keyof typeof TOOLS]?: readonly string[] }

export interface AskedApp {
  readonly state: string
  readonly reason: string | null
  readonly isAtHighWater: boolean | null
  readonly credentialDaysLeft: number | null
  readonly lastDeliveredAtMs: number | null
  readonly lastFailure: { readonly reason: string | null } | null
}

interface StatusAnswer {
  readonly isReady: boolean
  readonly reasons: readonly string[]
  readonly store: { readonly isWritable: boolean; readonly dangers: readonly string[] }
  readonly apps: readonly (AskedApp & { readonly app: string })[]
}

export interface Tools {
  /** The lines of `check --online` about the app, or about the store. */
  check(about: string): Promise<readonly string[]>
  /** The row of the app, if there is one, and what needs the operator. */
  status(about: string): Promise<readonly string[]>
  /** What came last, and what to do. */
  find(pushkey: string, app?: string): Promise<readonly string[]>
  /** Of `GET /api/v1/status`: what it says of the app, or of the store. */
  api(about: string): Promise<readonly string[]>
  app(name: string): Promise<AskedApp | undefined>
  /** The sentences at info and above, but for those of other apps and devices. */
  log(app: string, device?: string): readonly string[]
  /** As the log names it. */
  deviceOf(pushkey: string, app: string): Promise<string | undefined>
  /** What `apps unknown` lists. */
  unknownApps(): Promise<readonly string[]>
}

export interface ToolsParts {
  readonly folder: HushgateFolder
  readonly gateway: HushgateProcess
  readonly adminPort: number
  /** For Node itself, of the commands. */
  readonly nodeOptions?: readonly string[]
}

const ASKED_OF_DEVICE = /^ {2}(?:last attempt|push service's (?:word|name)|dead since|waiting|given up|→)/
/** At level info they tell of a start, a stop and a reload. */
const OF_THE_PROCESS = /^(?:Hushgate is running|A key was made|Stopping|There is much to do)/

export function toolsOf({ folder, gateway, adminPort, nodeOptions = [] }: ToolsParts): Tools {
  const run = async (args: readonly string[], stdin = ''): Promise<string[]> => {
    const { stdout, stderr } = await runHushgate(args, { folder: folder.path, stdin, nodeOptions })
    return (stdout + stderr).split('\n').filter((line) => line !== '')
  }
  const ask = async (): Promise<StatusAnswer | undefined> => {
    const authorization = `Bearer ${await readFile(folder.at('token'), 'utf8')}`
    const url = `http://127.0.0.1:${adminPort}/api/v1/status`
    const signal = AbortSignal.timeout(5000)
    return fetch(url, { headers: { authorization }, signal }).then(
      async (response) => JSON.parse(await response.text()),
      () => undefined,
    )
  }
  return {
    async check(about) {
      return (await run(['check', '--online'])).filter((line) => line.startsWith(`${about}: `)).map(stable)
    },
    async status(about) {
      const lines = await run(['status'])
      const isOther = (line: string): boolean =>
        /^(?:→| ) \S+(?: delivers| waits| takes|: )/.test(line) && !line.includes(about)
      const shown = lines.filter(
        (line) => line.startsWith(`${about} `) || (/^(?:→|No |What |  )/.test(line) && !isOther(line)),
      )
      return shown.map((line) => stable(line.trim().replaceAll(/ {2,}/g, ' · ')))
    },
    async find(pushkey, app) {
      const lines = await run(['find', ...(app === undefined ? [] : ['--app', app])], pushkey)
      return lines
        .filter((line) => ASKED_OF_DEVICE.test(line) || !line.startsWith(' '))
        .filter((line) => !/, device [0-9a-f]{8}$/.test(line))
        .map((line) => stable(line.trim().replaceAll(/ {2,}/g, ': ')))
    },
    async api(about) {
      const answer = await ask()
      if (answer === undefined) return ['no answer']
      const { isReady, reasons, store, apps } = answer
      const app = apps.find((each) => each.app === about)
      const facts = app === undefined ? { isReady, reasons, isWritable: store.isWritable } : shownOf(app)
      return [stable(JSON.stringify(facts))]
    },
    async app(name) {
      return (await ask())?.apps.find(({ app }) => app === name)
    },
    log(app, device) {
      const lines = linesIn(gateway.log()).filter(
        (line) =>
          isShown(line['level']) &&
          !OF_THE_PROCESS.test(String(line['msg'])) &&
          (device === undefined ? [undefined, app].includes(textOf(line['app'])) : textOf(line['device']) === device),
      )
      // Two parts of the gateway may notice the same in either order.
      return [...new Set(lines.map((line) => stable(sentenceOf(line))))].toSorted()
    },
    async deviceOf(pushkey, app) {
      const { stdout } = await runHushgate(['find', '--json', '--app', app], { folder: folder.path, stdin: pushkey })
      return /"device": "([0-9a-f]{8})"/.exec(stdout)?.[1]
    },
    async unknownApps() {
      return (await run(['apps', 'unknown'])).slice(1).map((line) => stable(line.replaceAll(/ {2,}/g, ' · ')))
    },
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function shownOf({ state, reason, lastFailure, isAtHighWater, credentialDaysLeft }: AskedApp): object {
  return {
    state,
    reason,
    lastFailure: lastFailure?.reason ?? null,
    ...(isAtHighWater === true ? { isAtHighWater } : {}),
    ...(credentialDaysLeft === null ? {} : { credentialDaysLeft }),
  }
}

function linesIn(text: string): readonly LogLine[] {
  return text.split('\n').flatMap((line): LogLine[] => (/^\{.*\}$/.test(line) ? [JSON.parse(line)] : []))
}

function isShown(level: unknown): boolean {
  return level === 'info' || level === 'warn' || level === 'error'
}

function sentenceOf({ level, msg, reason, result }: LogLine): string {
  const told = [reason, result].filter((word) => word !== undefined)
  return `${String(level)}: ${String(msg)}${told.length === 0 ? '' : ` (${told.map(String).join(', ')})`}`
}

/** Without ports, times, IDs and paths of this run. */
function stable(line: string): string {
  return (
    line
      .replaceAll(/\b\d{4}-\d\d-\d\d(?:T[\d:.]+Z?)?/g, 'TIME')
      .replaceAll(/\b[0-9a-f]{8}-[0-9a-f-]{27,}\b/gi, 'ID')
      .replaceAll(/127\.0\.0\.1:\d+|localhost:\d+/g, '127.0.0.1:PORT')
      .replaceAll(/\/tmp\/[^\s"]*\//g, '')
      .replaceAll(/messages\/[\w:%-]+/g, 'messages/ID')
      .replaceAll(/\b\d+ (?:s|min|h|d)(?= ago| ·)/g, 'N s')
      .replaceAll(/attempt \d+/g, 'attempt N')
      .replaceAll(/\/tmp\/hushgate-\S+/g, '/data')
      // Where no name server answers at all.
      .replaceAll('EAI_AGAIN', 'ENOTFOUND')
      // Whether a push or the health check comes first.
      .replaceAll(' but for the room that is needed to empty the queue (maxmemory)', ' (maxmemory)')
  )
}
