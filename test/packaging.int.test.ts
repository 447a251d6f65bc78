/** The compose example with a real Redis: its settings keep what is accepted, and its user may do what the gateway does. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createHushgateFolder, startHushgate, type HushgateFolder } from './helpers/hushgate-process.ts'
import { newPushkey, startPushServices, type PushServices } from './helpers/push-services.ts'
import { startRedis } from './helpers/redis.ts'
import { pushTo } from './helpers/homeserver.ts'

const EXAMPLE = join(import.meta.dirname, '../config/examples/compose')
const PASSWORD = 'a-password-that-was-made-up'

let services: PushServices
let folder: HushgateFolder
beforeAll(async () => {
  ;[services, folder] = await Promise.all([startPushServices(), createHushgateFolder()])
})
afterAll(async () => {
  await Promise.all([services[Symbol.asyncDispose](), folder[Symbol.asyncDispose]()])
})

it('the compose example delivers, is ready, and Redis refuses nothing that the gateway asks', async (context) => {
  const example = (name: string): Promise<string> => readFile(join(EXAMPLE, name), 'utf8')
  const settings = [...(await example('redis/redis.conf')).matchAll(/^(\w\S*) (\S+)$/gm)].map(
    ([, name = '', value = '']) => [name, value === '""' ? '' : value] as const,
  )
  await folder.write('users.acl', (await example('redis/users.acl.template')).replace('PASSWORD', PASSWORD))
  const redis = await startRedis({
    settings: { ...Object.fromEntries(settings), dir: folder.path, aclfile: folder.at('users.acl') },
  })
  context.onTestFinished(() => redis.stop())
  await folder.write('redis-password', PASSWORD)
  await folder.write('encryption-key', await readFile(folder.at('keys'), 'utf8'))
  await folder.write('admin-token', await readFile(folder.at('token'), 'utf8'))
  const written = (await example('hushgate/hushgate.yaml'))
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
