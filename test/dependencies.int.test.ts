/** `npm run check:dependencies` on this checkout, with a registry that answers as npm's does, one that refuses, and none. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest'
import { freePort } from './helpers/free-port.ts'

const PROGRAM = join(import.meta.dirname, '../scripts/dependencies/main.ts')
const ADVISORY = {
  id: 1,
  url: 'https://github.com/advisories/GHSA-aaaa-bbbb-cccc',
  title: 'Reads too much',
  severity: 'critical',
  vulnerable_versions: '<=99.0.0',
  cwe: [],
  cvss: { score: 9.8, vectorString: null },
}

/** npm keeps what it learnt of an advisory, also across registries. */
let cache: string
beforeAll(async () => {
  cache = await mkdtemp(join(tmpdir(), 'hushgate-npm-'))
})
afterAll(() => rm(cache, { recursive: true }))

/** Answers what is asked for advisories, and knows nothing else; resolves with its address. */
async function startRegistry(context: TestContext, status: number, answer: unknown): Promise<string> {
  const port = await freePort()
  const server = createServer((request, response) => {
    request.resume().once('end', () => {
      const isAudit = request.method === 'POST' && request.url === '/-/npm/v1/security/advisories/bulk'
      response.writeHead(isAudit ? status : 404, { 'content-type': 'application/json' })
      response.end(JSON.stringify(isAudit ? answer : {}))
    })
  })
  await once(server.listen(port, '127.0.0.1'), 'listening')
  context.onTestFinished(() => void server.close())
  return `http://127.0.0.1:${port}`
}

function check(registry: string, ...args: readonly string[]): Promise<{ code: unknown; out: string; errors: string }> {
  const settings = { npm_config_registry: registry, npm_config_noproxy: '127.0.0.1', npm_config_cache: cache }
  const env = { ...process.env, ...settings }
  return new Promise((resolve) => {
    execFile(process.execPath, [PROGRAM, ...args], { env }, (error, out, errors) =>
      resolve({ code: error?.code ?? 0, out, errors }),
    )
  })
}

describe('npm run check:dependencies', () => {
  it('passes with what is installed, when the registry knows of no weakness', async (context) => {
    const { code, out, errors } = await check(await startRegistry(context, 200, {}), '--online')
    expect(errors).toBe('')
    const whose = ['\\d{3} packages', '\\d{3} packages of site']
    const said = whose.map((each) => `of ${each}: 0 mistakes\\.\nAdvisories: the registry knows 0 for ${each}\\.\n`)
    expect(out).toMatch(new RegExp(`${said.join('[^]*')}$`))
    expect(code).toBe(0)
  })

  it('fails, and names it, when the registry knows of a critical one', async (context) => {
    const { code, errors } = await check(await startRegistry(context, 200, { fastify: [ADVISORY] }))
    expect(errors).toBe('fastify: Reads too much (critical, GHSA-aaaa-bbbb-cccc)\n')
    expect(code).toBe(1)
  })

  it('shows a moderate one, and passes', async (context) => {
    const registry = await startRegistry(context, 200, { fastify: [{ ...ADVISORY, id: 2, severity: 'moderate' }] })
    const { code, out } = await check(registry)
    expect(out).toContain('  fastify GHSA-aaaa-bbbb-cccc moderate\n')
    expect(code).toBe(0)
  })

  it.for([
    ['refuses', /NOT ASKED\. The registry gave no report: it answered 405\.\n$/],
    ['is away', /NOT ASKED\. The registry gave no report: it was not reached \(ECONNREFUSED\)\.\n$/],
  ] as const)(
    'says that it did not ask when the registry %s, and fails for that only with --online',
    async ([how, sentence], context) => {
      const isAway = how === 'is away'
      const registry = isAway ? `http://127.0.0.1:${await freePort()}` : await startRegistry(context, 405, {})
      const offline = await check(registry)
      expect(offline.out).toMatch(sentence)
      expect(offline.code).toBe(0)
      const online = await check(registry, '--online')
      expect(online.errors).toBe('--online: advisories could not be asked for\n')
      expect(online.code).toBe(1)
    },
  )
})
