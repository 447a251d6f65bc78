/** The bundled Redis, started as its container starts it (with redis-server for valkey-server), and the gateway on it; with a password of the operator, and with the chart's own. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../helpers/free-port.ts'
import { startHushgate, type HushgateProcess } from '../helpers/hushgate-process.ts'
import { startLoggedProcess, type LoggedProcess } from '../helpers/logged-process.ts'
import type { JsonObject } from '../../src/core/json.ts'
import { gatewaysOf, ofKind, pick, pickList, pickText, renderObjects } from './helpers/chart.ts'
import { EXAMPLE_PASSWORD, mountConfig } from './helpers/mounted.ts'

describe.each(['bundled-redis', 'split'])('the bundled Redis of %s', (wayOfUse) => {
  let folder: string
  let password: string
  let port: number
  let server: LoggedProcess
  let gateway: HushgateProcess | undefined
  let objects: readonly JsonObject[]

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hushgate-valkey-'))
    port = await freePort()
    objects = await renderObjects(wayOfUse)
    const made = ofKind(objects, 'Secret').find((each) => pick(each, 'metadata', 'name') === 'hushgate-redis')
    password =
      made === undefined ? EXAMPLE_PASSWORD : Buffer.from(pickText(made, 'data', 'password'), 'base64').toString()
    const redis = ofKind(objects, 'StatefulSet')[0]
    const settings = ofKind(objects, 'ConfigMap').find((each) => pick(each, 'metadata', 'name') === 'hushgate-redis')
    for (const name of ['etc/valkey', 'run/password', 'run/valkey', 'data'])
      await mkdir(join(folder, name), { recursive: true })
    const ours = `\nport ${port}\nbind 127.0.0.1\n`
    await writeFile(
      join(folder, 'etc/valkey/valkey.conf'),
      pickText(settings, 'data', 'valkey.conf').replace('/data', join(folder, 'data')) + ours,
    )
    await writeFile(join(folder, 'run/password/password'), password)
    const [command = '', ...args] = pickList(redis, 'spec', 'template', 'spec', 'containers', 0, 'command')
      .filter((part) => typeof part === 'string')
      .map((part) =>
        part
          .replaceAll('valkey-server', 'redis-server')
          .replaceAll(/\/(etc\/valkey|run\/password|run\/valkey)\//g, `${folder}/$1/`),
      )
    server = startLoggedProcess(command, args, folder)
    const client = new Redis({ port, host: '127.0.0.1', lazyConnect: true, password })
    client.on('error', () => {})
    await server.ready(() => client.ping(), 20_000)
    client.disconnect()
  })
  afterAll(async () => {
    await gateway?.[Symbol.asyncDispose]()
    await server.end('SIGKILL')
    await rm(folder, { recursive: true, force: true })
  })

  it('lets in nobody without the password', async () => {
    const client = new Redis({ port, host: '127.0.0.1', lazyConnect: true })
    client.on('error', () => {})
    const isLetIn = await client.info('server').then(
      () => true,
      () => false,
    )
    client.disconnect()
    expect(isLetIn).toBe(false)
  })

  it('is one in which the gateway sees no danger', async () => {
    const home = join(folder, 'gateway')
    const podSpec = pick(gatewaysOf(objects)[0], 'spec', 'template', 'spec')
    await mountConfig(objects, podSpec, home, (text) =>
      text
        .replaceAll(/port: \d+/g, 'port: 0')
        .replaceAll('0.0.0.0', '127.0.0.1')
        .replace('hushgate-redis:6379', `127.0.0.1:${port}`),
    )
    await writeFile(join(home, 'store/password_file'), password)
    gateway = startHushgate(['serve', '--config', join(home, 'hushgate.yaml')], { folder: home })
    const { admin } = await gateway.running()
    const response = await fetch(`${admin}/readyz`)
    expect(await response.json()).toEqual({ status: 'ready', reasons: [] })
  })

  it('ends with its pod, in good order', async () => {
    await gateway?.[Symbol.asyncDispose]()
    await server.end('SIGTERM')
    expect(server.log()).toContain('ready to exit, bye bye')
  })
})
