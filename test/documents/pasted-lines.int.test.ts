/** Lines of documents that are no command of Hushgate, but need one that runs: pasted into a shell. Only ports and the token's folder are the test's own. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { freePort } from '../helpers/free-port.ts'
import { createHushgateFolder, startHushgate } from '../helpers/hushgate-process.ts'
import { startPushServices } from '../helpers/push-services.ts'

const ROOT = join(import.meta.dirname, '../..')
/** What fails is then seen. */
const CURL = 'curl() { command curl --silent --show-error --fail "$@"; }\n'

/** Each piece of code of a document that has this in it. */
function codeWith(text: string, path: string): readonly string[] {
  const markdown = readFileSync(join(ROOT, path), 'utf8')
  const blocks = [...markdown.matchAll(/^```sh\n([^]*?)^```$/gm)].map(([, block = '']) => block)
  const spans = [...markdown.replaceAll(/^```[^]*?^```$/gm, '').matchAll(/`([^`\n]+)`/g)].map(([, span = '']) => span)
  const found = [...blocks, ...spans].filter((code) => code.includes(text))
  expect(found, `${text} in ${path}`).not.toEqual([])
  return found
}

async function paste(code: string, folder: string): Promise<string> {
  const env = { PATH: process.env['PATH'], no_proxy: '*' }
  return (await promisify(execFile)('dash', ['-euc', CURL + code], { cwd: folder, env })).stdout
}

describe('docs/for-app-makers.md', () => {
  it('begins an outage of Apple and ends it, and a failing device has a name that the simulator knows', async () => {
    const page = 'docs/for-app-makers.md'
    await using home = await createHushgateFolder()
    const firstPort = await freePort()
    const [command = ''] = codeWith('hushgate simulate --port 7000', page)
    const args = command.replace('--port 7000', `--port ${firstPort}`).split(' ').slice(1)
    await using simulate = startHushgate(args, { folder: home.path })
    await simulate.printed('web-ca.pem')
    const lines = codeWith('http://127.0.0.1:7003/', page).map((line) => line.replaceAll(':7003', `:${firstPort + 3}`))
    expect(lines).toHaveLength(2)
    for (const line of lines) await paste(line, home.path)
    await expect(paste(`curl -d nonsense http://127.0.0.1:${firstPort + 3}/apple`, home.path)).rejects.toThrow('400')
    const [name = ''] = codeWith('| base64', page)
    expect(Buffer.from(await paste(name, home.path), 'base64').toString()).toBe('xs410-phone')
  })
})

describe('docs/deploying.md and docs/operating.md', () => {
  it('post a push, ask for the status with the token, and change the level of the log', async () => {
    await using services = await startPushServices()
    await using home = await createHushgateFolder()
    const [notifyPort, adminPort] = [await freePort(), await freePort()]
    await home.configure({
      appsYaml: services.appsYaml,
      notifyPort,
      adminPort,
      settings: 'log: { format: json, level: info }',
    })
    await using gateway = startHushgate(['serve'], { folder: home.path })
    await gateway.running()
    const pasted = (code = ''): Promise<string> =>
      paste(code.replaceAll(':5000', `:${notifyPort}`).replaceAll(':5001', `:${adminPort}`), home.path)
    const [push] = codeWith('curl -d \'{"notification"', 'docs/deploying.md')
    expect(await pasted(push)).toBe('{"rejected":[]}')
    const [status] = codeWith('/api/v1/status', 'docs/deploying.md')
    await home.write('another', 'nobody')
    await expect(pasted(status?.replace('data/admin-token', 'another'))).rejects.toThrow('401')
    expect(JSON.parse((await pasted(status?.replace('data/admin-token', 'token'))) || '{}')).toHaveProperty('apps')

    const [edit = ''] = codeWith('sed --in-place', 'docs/operating.md')
    // Where systemd does not run, the file's change is what is noticed.
    await pasted(edit.split(' && ', 1)[0])
    expect(await readFile(home.at('hushgate.yaml'), 'utf8')).toContain('level: debug')
    await gateway.logged('The configuration was reloaded')
    await pasted(push?.replace('"$e"', '"$another"'))
    await gateway.logged('A push was accepted')
  })
})
