/**
 * `npm run test:api`: Schemathesis asks both ports of a gateway, in a process of its own, what docs/openapi.json says can be asked, and things that it says
 * cannot. Fails where an answer is 5xx or not as the file has it.
 */
import { spawn } from 'node:child_process'
import { basename, dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { startFuzzedGateway } from '../fuzz/gateway.ts'
import { installPackages } from '../install-python.ts'
import { TAGS } from '../openapi/document.ts'
import { openapiFile } from '../write-openapi.ts'

const PACKAGES = ['schemathesis==4.32.5', 'hypothesis==6.170.17']
const SEED = 20_261_129
/** What it cannot read in docs/openapi.json. */
const CONFIG_FILE = join(import.meta.dirname, 'schemathesis.toml')
/** Of each operation, beside those that cover each parameter. */
const EXAMPLES = 40
/** It takes a quarter of that, for as many examples. */
const LONGEST_MS = 110_000

const { values } = parseArgs({
  options: { examples: { type: 'string', default: String(EXAMPLES) }, seed: { type: 'string', default: String(SEED) } },
})

/** A type that is wrong counts as absent there. */
const LENIENT = ['--exclude-checks', 'negative_data_rejection']

interface Port {
  readonly tag: string
  readonly url: URL
  /** Further options of Schemathesis. */
  readonly options: readonly string[]
  /** What schemathesis.toml takes from the environment, whichever port is asked. */
  readonly env: Readonly<Record<string, string>>
}

async function main(): Promise<void> {
  const python = installPackages('schemathesis', PACKAGES)
  await using gateway = await startFuzzedGateway()
  const limitMs = LONGEST_MS * Math.max(1, Number(values.examples) / EXAMPLES)
  const signal = AbortSignal.timeout(limitMs)
  const token = ['--header', `Authorization: Bearer ${gateway.places.token}`]
  const { endpoint, vapid } = gateway.places
  const env = { RELAY_ENDPOINT: basename(endpoint), RELAY_VAPID: vapid }
  const ports: readonly Port[] = [
    { tag: TAGS.notify, url: gateway.notify, options: LENIENT, env },
    { tag: TAGS.admin, url: gateway.admin, options: token, env },
  ]
  for (const port of ports) if (!(await ask(dirname(python), port, signal))) process.exitCode = 1
  if (signal.aborted) console.log(`Failed: it was not done after ${Math.round(limitMs / 1000)} seconds`)
  for (const fault of await gateway.stop()) {
    console.log(`Failed: ${fault}`)
    process.exitCode = 1
  }
}

/** Resolves with whether all is well. What it tried and found it prints itself. `folder`: where its program is, and what it leaves behind. */
async function ask(folder: string, { tag, url, options, env }: Port, signal: AbortSignal): Promise<boolean> {
  const bounds = ['--seed', values.seed, '--max-examples', values.examples]
  const args = [
    '--config-file',
    CONFIG_FILE,
    'run',
    openapiFile,
    '--url',
    url.href,
    '--include-tag',
    tag,
    '--checks',
    'all',
    ...bounds,
    ...options,
  ]
  const child = spawn(join(folder, 'st'), args, {
    cwd: folder,
    stdio: ['inherit', 'pipe', 'inherit'],
    // Without a proxy that is named in ours.
    env: { PATH: process.env['PATH'], NO_COLOR: process.env['NO_COLOR'], ...env },
    signal,
  })
  // It is ended by the signal: told of above.
  child.on('error', () => {})
  const closed = new Promise<boolean>((resolve) => void child.once('close', (code) => resolve(code === 0)))
  for await (const line of createInterface(child.stdout)) console.log(notPytests(line))
  return closed
}

/** Who reads what the gate printed takes "1 warning in 5s", with or without signs of equality, for the last line of a pytest that ran no test. */
function notPytests(line: string): string {
  const [, words, seconds] = /^=+ (.*?)(?: in ([\d.]+)s)? =+$/.exec(line) ?? []
  if (words === undefined) return line
  return seconds === undefined ? words : `${words}, after ${seconds} s`
}

await main()
