/** The lines of docs/deploying.md for the chart without a cluster, pasted: the chart's own Deployment under Podman, changed as the page says. The test's own are only ports and names. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, inject, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { codeOf } from '../../scripts/document-code.ts'
import { chartTools } from '../../scripts/helm-tools.ts'
import { createToken } from '../../src/config/keys.ts'
import type { JsonObject, JsonValue } from '../../src/core/json.ts'
import { createKeyFile } from '../../src/core/keyring.ts'
import { chartFolder, gatewaysOf, ofKind, parseObjects, pick, pickList, pickText } from '../helm/helpers/chart.ts'
import { freePort } from '../helpers/free-port.ts'
import { pushTo } from '../helpers/homeserver.ts'
import { newPushkey, startPushServices, type PushServices } from '../helpers/push-services.ts'
import { until } from '../helpers/received.ts'
import { startRedis } from '../helpers/redis.ts'
import { giveToImage } from './container.ts'
import { createShell } from './shell.ts'

const PUSHES = 50
/** Neither probes without a shell, nor what only a cluster has. */
const LEFT_OUT_OF_CONTAINER = ['livenessProbe', 'readinessProbe', 'startupProbe', 'lifecycle', 'ports']
const LEFT_OUT_OF_POD = ['serviceAccountName', 'topologySpreadConstraints']

const without = (object: JsonValue | undefined, names: readonly string[]): object =>
  Object.fromEntries(Object.entries(Object(object)).filter(([name]) => !names.includes(name)))

/** Each `_file` as `{ value }`. */
function valuesOf(services: PushServices, redisPort: number): object {
  const { apps }: { apps: Record<string, Record<string, unknown>> } = parse(services.appsYaml)
  const withValues = (app: Record<string, unknown>) =>
    Object.fromEntries(
      Object.entries(app).map(([name, value]) => [
        name,
        name.endsWith('_file') ? { value: readFileSync(String(value), 'utf8') } : value,
      ]),
    )
  const [, repository, tag] = /^localhost\/(.+):(.+)$/.exec(inject('image')) ?? []
  return {
    apps: Object.fromEntries(Object.entries(apps).map(([name, app]) => [name, withValues(app)])),
    store: { kind: 'redis', redis: { host: '127.0.0.1', port: redisPort } },
    keys: { encryption: { value: createKeyFile() }, adminToken: { value: createToken() } },
    image: { registry: 'localhost', repository, tag, pullPolicy: 'Never' },
  }
}

/** The files of the `projected` volume, with the ports of the test. */
function writeFiles(
  objects: readonly JsonObject[],
  volume: JsonValue | undefined,
  folder: string,
  ports: readonly number[],
): void {
  const [notify, admin] = ports
  for (const source of pickList(volume, 'projected', 'sources')) {
    const [kind, field, data] =
      pick(source, 'secret') === undefined
        ? (['ConfigMap', 'configMap', 'data'] as const)
        : (['Secret', 'secret', 'stringData'] as const)
    const object = ofKind(objects, kind).find(
      (each) => pick(each, 'metadata', 'name') === pick(source, field, 'name') && pick(each, data) !== undefined,
    )
    const text = pickText(object, data, pickText(source, field, 'items', 0, 'key'))
    const path = join(folder, pickText(source, field, 'items', 0, 'path'))
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text.replace('port: 5000', `port: ${notify}`).replace('port: 5001', `port: ${admin}`))
  }
}

/** What `podman kube play` is given. */
function playable(rendered: string, folder: string, ports: readonly number[]): string {
  const objects = parseObjects(rendered)
  const [deployment] = gatewaysOf(objects)
  const template = pick(deployment, 'spec', 'template')
  const volumes = pickList(template, 'spec', 'volumes')
  writeFiles(
    objects,
    volumes.find((each) => pick(each, 'name') === 'config'),
    folder,
    ports,
  )
  giveToImage(folder)
  const spec = {
    ...without(pick(template, 'spec'), LEFT_OUT_OF_POD),
    hostNetwork: true,
    containers: pickList(template, 'spec', 'containers').map((each) => without(each, LEFT_OUT_OF_CONTAINER)),
    volumes: volumes.map((each) =>
      pick(each, 'name') === 'config' ? { name: 'config', hostPath: { path: folder, type: 'Directory' } } : each,
    ),
  }
  return stringify({
    ...deployment,
    spec: { ...Object(pick(deployment, 'spec')), replicas: 1, template: { ...Object(template), spec } },
  })
}

it('the Deployment runs, delivers what it accepted before it is stopped, and after it was killed', async () => {
  await using services = await startPushServices()
  const redis = await startRedis({ settings: { appendonly: 'yes' } })
  await using stack = new AsyncDisposableStack()
  stack.defer(() => redis.stop())
  const shell = stack.use(createShell())
  symlinkSync(chartFolder, join(shell.folder, 'helm'))
  shell.addProgram('helm', `#!/bin/sh\nexec ${chartTools.helm} "$@"\n`)
  const paste = async (line: string): Promise<string> => {
    const { code, stdout, stderr } = await shell.paste(line).ended
    expect({ line, code, stderr }).toEqual({ line, code: 0, stderr: expect.any(String) })
    return stdout
  }
  writeFileSync(join(shell.folder, 'values.yaml'), stringify(valuesOf(services, redis.port)))
  const ports = [await freePort(), await freePort()]
  const rendered = await paste(codeOf('docs/deploying.md', 'helm template hushgate helm'))
  const files = join(shell.folder, 'files')
  mkdirSync(files)
  writeFileSync(join(shell.folder, 'play.yaml'), playable(rendered, files, ports))
  stack.defer(async () => void (await shell.paste('podman kube down play.yaml').ended))
  await paste(codeOf('docs/deploying.md', 'podman kube play'))
  const pod = (await paste("podman pod ps --filter name=hushgate-pod --format '{{.Name}}'")).trim()
  const name = `${pod}-hushgate`
  // Its other container, which holds the namespaces, ends a moment after the gateway.
  const startAgain = async (): Promise<void> => {
    const look = `podman pod inspect --format '{{.State}}' ${pod}`
    await until('all of it has ended', async () => (await paste(look)).trim() === 'Exited')
    await paste(`podman pod start ${pod}`)
  }
  const [notify, admin] = ports.map((port) => `http://127.0.0.1:${port}`)
  const untilReady = () =>
    until('it is ready', async () => (await fetch(`${admin}/readyz`).catch(() => undefined))?.ok === true)
  const push = async (device: object): Promise<void> => {
    const event = { event_id: `$${crypto.randomUUID()}`, room_id: '!room:example.org', devices: [device] }
    expect((await pushTo(String(notify), event)).status).toBe(200)
  }
  const pushAll = async (): Promise<readonly string[]> => {
    const keys = Array.from({ length: PUSHES }, () => newPushkey('d300'))
    await Promise.all(keys.map(({ apns }) => push({ app_id: 'com.example.ios', pushkey: apns })))
    return keys.map(({ token }) => token)
  }
  await untilReady()
  const phone = newPushkey()
  await push({ app_id: 'com.example.ios', pushkey: phone.apns })
  await push({ app_id: 'com.example.android', pushkey: phone.fcm })
  await services.waitFor(phone.token, 2)

  const beforeStop = await pushAll()
  await paste(`${codeOf('docs/deploying.md', 'podman stop')} ${name}`)
  expect((await paste(`podman inspect --format '{{.State.ExitCode}}' ${name}`)).trim()).toBe('0')
  expect(beforeStop.map((token) => services.of(token).length)).toEqual(beforeStop.map(() => 1))

  await startAgain()
  await untilReady()
  const beforeKill = await pushAll()
  await paste(`${codeOf('docs/deploying.md', 'podman kill')} ${name}`)
  await startAgain()
  for (const token of beforeKill) {
    const arrived = await services.waitFor(token, 1, 200)
    expect(new Set(arrived.map(({ headers }) => headers['apns-id'])).size).toBe(1)
  }
})
