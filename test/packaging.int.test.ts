/** The compose example with a real Redis: its settings keep what is accepted, and its user may do what the gateway does. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { EXAMPLES, initScript, readCompose, redisSettings } from './helpers/compose.ts'
import { createHushgateFolder, startHushgate, type HushgateFolder } from './helpers/hushgate-process.ts'
import { newPushkey, startPushServices, type PushServices } from './helpers/push-services.ts'
import { startRedis } from './helpers/redis.ts'
import { pushTo } from './helpers/homeserver.ts'

const KEYS = ['encryption-key', 'admin-token', 'redis-password']

let services: PushServices
let folder: HushgateFolder
beforeAll(async () => {
  ;[services, folder] = await Promise.all([startPushServices(), createHushgateFolder()])
})
afterAll(async () => {
  await Promise.all([services[Symbol.asyncDispose](), folder[Symbol.asyncDispose]()])
})

it('the compose example delivers, is ready, and Redis refuses nothing that the gateway asks', async (context) => {
  const { services: parts } = await readCompose('compose')
  const script = initScript(parts['init']).replaceAll('/etc/hushgate', folder.path).replaceAll('/data', folder.path)
  // Who owns what is shown in test/image/compose.test.ts; it takes the rights of root.
  const made = (): Promise<unknown> => promisify(execFile)('sh', ['-euc', `chown() { :; }\n${script}`])
  const keys = (): Promise<readonly string[]> => Promise.all(KEYS.map((name) => readFile(folder.at(name), 'utf8')))
  await made()
  const first = await keys()
  await made()
  expect(await keys()).toEqual(first)

  const redis = await startRedis({
    settings: { ...redisSettings(parts['redis']), dir: folder.path, aclfile: folder.at('users.acl') },
  })
  context.onTestFinished(() => redis.stop())
  const example = await readFile(join(EXAMPLES, 'compose/hushgate/hushgate.yaml'), 'utf8')
  const written = example
    .replace('redis://redis:6379', `redis://127.0.0.1:${redis.port}`)
    .replace('admin:\n', 'http: { port: 0 }\n\nadmin:\n  port: 0\n')
    .replace(/^apps:[^]*/m, services.appsYaml)
  await folder.write('hushgate.yaml', written)

  await using gateway = startHushgate(['serve'], { folder: folder.path })
  const { notify, admin } = await gateway.running()
  const key = newPushkey()
  const notification = { event_id: '$e', devices: [{ app_id: 'com.example.ios', pushkey: key.apns }] }
  expect((await pushTo(notify.replace('0.0.0.0', '127.0.0.1'), notification)).status).toBe(200)
  await services.waitFor(key.token, 1, 200)
  const ready = await fetch(`${admin}/readyz`)
  expect(await ready.json()).toEqual({ status: 'ready', reasons: [] })
  expect(gateway.stdout()).not.toMatch(/NOPERM|"level":"(warn|error)"/)
})
