import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { health } from '../../src/commands/health.ts'
import { freePort } from '../helpers/free-port.ts'
import { textSink } from '../helpers/text-sink.ts'

/** What an admin port answers on each path. */
const ANSWERS: Readonly<Record<string, { readonly status: number; readonly body: string }>> = {
  '/healthz': { status: 200, body: '{"status":"alive"}' },
  '/readyz': { status: 503, body: '{"status":"not ready","reasons":["the store cannot be written to","one more"]}' },
}

let folder: string
let port: number
const server = createServer((request, response) => {
  const { status, body } = ANSWERS[request.url ?? ''] ?? { status: 404, body: 'what?' }
  response.writeHead(status).end(body)
})
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hushgate-health-'))
  port = await freePort()
  await once(server.listen(port, '127.0.0.1'), 'listening')
})
afterAll(async () => {
  server.close()
  await rm(folder, { recursive: true })
})

async function ask(yaml: string, isReadinessAsked = false): Promise<string> {
  const path = join(folder, 'hushgate.yaml')
  await writeFile(path, yaml)
  const stdout = textSink()
  const code = await health({ path, env: { PORT: String(port) }, isReadinessAsked, stdout })
  return `${code} ${stdout.text()}`
}

describe('hushgate health', () => {
  it.each([
    ['the address of the configuration', () => `admin: { port: ${port} }`],
    ['this machine where the gateway listens everywhere', () => `admin: { port: ${port}, host: 0.0.0.0 }`],
    ['a port that comes from the environment', () => `admin: { port: "\${PORT}" }`],
    [
      'the same when the file got mistakes elsewhere since',
      () => `admin: { port: ${port}, colour: red }\napps: { a: { type: duck } }`,
    ],
  ])('asks %s', async (_what, yaml) => {
    expect(await ask(yaml())).toBe('0 alive\n')
  })

  it('asks with --ready whether pushes can be accepted, and says why not', async () => {
    expect(await ask(`admin: { port: ${port} }`, true)).toBe('1 not ready: the store cannot be written to; one more\n')
  })

  it('says that nobody answers', async () => {
    const nobody = await freePort()
    expect(await ask(`admin: { port: ${nobody} }`)).toBe(
      `1 http://127.0.0.1:${nobody} does not answer (ECONNREFUSED)\n`,
    )
  })

  it('says that the file is not there', async () => {
    const stdout = textSink()
    const path = join(folder, 'none.yaml')
    expect(await health({ path, env: {}, isReadinessAsked: false, stdout })).toBe(1)
    expect(stdout.text()).toBe(`${path} does not exist\n`)
  })
})
