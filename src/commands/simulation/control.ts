/** What makes simulated push services fail while they run: a port on loopback where each can be told an answer to everything. */
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { portOf } from '../../simulators/apns-front.ts'
import { parseScript } from '../../simulators/script.ts'
import { readAll } from '../input.ts'

/** Until it is called again every push is answered by this script; undefined: as its token says. */
type AnswerAll = (script: string | undefined) => void

export interface SimulatorControl extends AsyncDisposable {
  readonly url: string
}

export interface SimulatorControlOptions {
  /** Default: any free one. */
  readonly port?: number | undefined
  /** By the name that stands in the path. */
  readonly services: ReadonlyMap<string, AnswerAll>
  /** Told of each change, in a sentence. */
  readonly onChange: (sentence: string) => void
}

export async function startSimulatorControl(options: SimulatorControlOptions): Promise<SimulatorControl> {
  const server = createServer((request, response) => {
    answer(request, options).then(
      ({ status, text }) => response.writeHead(status, { 'content-type': 'text/plain' }).end(`${text}\n`),
      () => response.destroy(),
    )
  })
  server.listen(options.port ?? 0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${portOf(server)}`,
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

async function answer(
  request: IncomingMessage,
  { services, onChange }: SimulatorControlOptions,
): Promise<{ readonly status: number; readonly text: string }> {
  // A page in the browser of whoever tries something must not get in between.
  if (request.headers.origin !== undefined) return { status: 403, text: 'not for web pages' }
  const name = request.url?.slice(1) ?? ''
  const answerAll = services.get(name)
  if (answerAll === undefined) return { status: 404, text: `There is ${[...services.keys()].join(', ')}` }
  if (request.method !== 'POST') return { status: 405, text: 'POST a script, such as s503, or nothing to end it' }
  const script = Buffer.from(await readAll(request))
    .toString()
    .trim()
  if (script !== '' && parseScript(`x${script}-`) === undefined)
    return { status: 400, text: `${JSON.stringify(script)} is no script; hushgate simulate --help lists them` }
  answerAll(script === '' ? undefined : script)
  const sentence = script === '' ? `${name} answers as ever` : `${name} answers everything with ${script}`
  onChange(sentence)
  return { status: 200, text: sentence }
}
