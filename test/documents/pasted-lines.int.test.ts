/** Lines of documents that are no command of Hushgate, but need one that runs: pasted into a shell. Only ports and the token's folder are the test's own. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { codeOf } from '../../scripts/document-code.ts'
import { freePort } from '../helpers/free-port.ts'
import { createHushgateFolder, startHushgate } from '../helpers/hushgate-process.ts'
import { startPushServices } from '../helpers/push-services.ts'

/** What fails is then seen. */
const CURL = 'curl() { command curl --silent --show-error --fail "$@"; }\n'

async function paste(code: string, folder: string): Promise<string> {
  const env = { PATH: process.env['PATH'], no_proxy: '*' }
  return (await promisify(execFile)('dash', ['-euc', CURL + code], { cwd: folder, env })).stdout
}

describe('docs/for-app-makers.md', () => {
  it('begins an outage of Apple and ends it, and a failing device has a name that the simulator knows', async () => {
    await using home = await createHushgateFolder()
    const firstPort = await freePort()
    const command = codeOf('docs/for-app-makers.md', 'hushgate simulate --port 7000')
    const args = command.replace('--port 7000', `--port ${firstPort}`).split(' ').slice(1)
    await using simulate = startHushgate(args, { folder: home.path })
    await simulate.printed('web-ca.pem')
    for (const line of [
      codeOf('docs/for-app-makers.md', 'curl -d s503'),
      codeOf('docs/for-app-makers.md', "curl -d ''"),
    ])
      await paste(line.replace(':7003', `:${firstPort + 3}`), home.path)
    await expect(paste(`curl -d nonsense http://127.0.0.1:${firstPort + 3}/apple`, home.path)).rejects.toThrow('400')
    const name = await paste(codeOf('docs/for-app-makers.md', '| base64'), home.path)
    expect(Buffer.from(name, 'base64').toString()).toBe('xs410-phone')
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
    const pasted = (code: string): Promise<string> =>
      paste(code.replaceAll(':5000', `:${notifyPort}`).replaceAll(':5001', `:${adminPort}`), home.path)
    const push = codeOf('docs/deploying.md', 'curl -d \'{"notification"')
    expect(await pasted(push)).toBe('{"rejected":[]}')
    const status = codeOf('docs/deploying.md', '/api/v1/status')
    await home.write('another', 'nobody')
    await expect(pasted(status.replace('data/admin-token', 'another'))).rejects.toThrow('401')
    expect(JSON.parse((await pasted(status.replace('data/admin-token', 'token'))) || '{}')).toHaveProperty('apps')

    const edit = codeOf('docs/operating.md', 'sed --in-place')
    // Where systemd does not run, the file's change is what is noticed.
    await pasted(edit.split(' && ', 1).join(''))
    expect(await readFile(home.at('hushgate.yaml'), 'utf8')).toContain('level: debug')
    await gateway.logged('The configuration was reloaded')
    await pasted(push.replace('"$e"', '"$another"'))
    await gateway.logged('A push was accepted')
  })
})
