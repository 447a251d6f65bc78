/** The README's blocks for a machine with a container engine, pasted as they are, with the image of this checkout under the name that they have. */
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { codeOf } from '../../scripts/document-code.ts'
import { freePort } from '../helpers/free-port.ts'
import { newPushkey, startPushServices } from '../helpers/push-services.ts'
import { linesToPaste, paste } from '../process/demonstration-lines.ts'
import { engineCommand } from './container.ts'
import { createShell } from './shell.ts'

const DEMONSTRATION = codeOf('README.md', 'docker run')
const FIVE_MINUTES_MS = 5 * 60_000

function tell(block: string, startMs: number): void {
  const tookMs = Date.now() - startMs
  process.stdout.write(
    `The README's ${block}: the first push arrived ${Math.round(tookMs / 1000)} s after it was pasted\n`,
  )
  expect(tookMs).toBeLessThan(FIVE_MINUTES_MS)
}

let named: string
beforeAll(async () => {
  ;[named = ''] = /ghcr\.io\/hushgate\/hushgate:[\w.-]+/.exec(DEMONSTRATION) ?? []
  await engineCommand('tag', inject('image'), named)
})
// Without the image's own name it would lose all of them, also for the tests that follow.
afterAll(() => engineCommand('untag', inject('image'), named))

it('make a gateway with compose that is ready, and delivers a push', async () => {
  const startMs = Date.now()
  await using services = await startPushServices()
  await using shell = createShell()
  const [port, adminPort] = [await freePort(), await freePort()]
  // Whoever pastes has keys and settings of their own; these lead to simulated push services.
  const configuration = `http: { host: 127.0.0.1, port: ${port} }
admin: { port: ${adminPort} }
store: { url: "sqlite:/data/hushgate.db" }
${services.appsYaml.replaceAll(`${services.folder}/`, '')}`
  const block = codeOf('README.md', 'docker compose up')
    .replace(/(<<'YAML'\n)store: [^]*?(?=^YAML$)/m, `$1${configuration}`)
    .replace(/^cp .*$/m, `cp ${services.folder}/* hushgate/`)
  expect(block).toContain(configuration)
  const { code, stdout, stderr } = await shell.paste(block).ended
  expect({ code, stdout, stderr }).toMatchObject({ code: 0, stdout: expect.stringMatching(/^ready$/m) })
  const { token, apns } = newPushkey()
  const notification = {
    event_id: '$event',
    room_id: '!room:example.org',
    devices: [{ app_id: 'com.example.ios', pushkey: apns }],
  }
  const body = JSON.stringify({ notification })
  const answer = await fetch(`http://127.0.0.1:${port}/_matrix/push/v1/notify`, { method: 'POST', body })
  expect(await answer.text()).toBe('{"rejected":[]}')
  await services.waitFor(token, 1)
  tell('docker compose', startMs)
})

it('show the demonstration, and its first push arrives within five minutes', async () => {
  const startMs = Date.now()
  await using shell = createShell()
  const demonstration = shell.paste(DEMONSTRATION)
  await demonstration.printed('Stop: Ctrl-C')
  const { curl } = linesToPaste(demonstration.stdout().replaceAll('\r', ''))
  expect(await paste(curl, 'dash')).toBe('{"rejected":[]}')
  for (const who of ['Apple', 'Google', 'Browser']) await demonstration.printed(`${who} received`)
  tell('docker run', startMs)
})
