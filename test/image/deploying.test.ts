/** The blocks of docs/deploying.md for a machine with a container engine, pasted. The test's own are only names, ports, and the apps, which lead to simulated push services. */
import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, inject, it } from 'vitest'
import { codeOf } from '../../scripts/document-code.ts'
import { EXAMPLES } from '../helpers/compose.ts'
import { freePort } from '../helpers/free-port.ts'
import { pushTo } from '../helpers/homeserver.ts'
import { newPushkey, startPushServices } from '../helpers/push-services.ts'
import { createShell, type Shell } from './shell.ts'

const IMAGE = /ghcr\.io\/hushgate\/hushgate(?::[\w.]+)?/g

/** With names that are nobody else's on this machine. */
function owned(code: string, { project }: Shell): string {
  return code
    .replaceAll(IMAGE, inject('image'))
    .replaceAll('run --rm hushgate ', `run --rm ${inject('image')} `)
    .replaceAll('hushgate-data', `${project}-data`)
    .replaceAll('--name hushgate', `--name ${project}-one`)
    .replaceAll(/exec (-i )?hushgate /g, `exec $1${project}-one `)
}

it('one container on SQLite: push services are simulated, the gateway is ready, a push shows what Apple sees, and commands run beside it', async () => {
  await using shell = createShell()
  for (const name of ['AuthKey_ABC123DEFG.p8', 'firebase.json'])
    writeFileSync(join(shell.folder, 'Downloads', name), 'not read: the apps are simulated')
  const paste = (code: string) => shell.paste(owned(code, shell))
  const simulators = paste(codeOf('docs/deploying.md', 'simulate --folder /data/simulators'))
  await simulators.printed('phones-ca.pem"\n  unifiedpush')

  const [port, adminPort] = [await freePort(), await freePort()]
  const block = codeOf('docs/deploying.md', 'mkdir -m 0750 hushgate')
  const apps = `http: { host: 127.0.0.1, port: ${port} }\nadmin: { port: ${adminPort} }\n${simulators.stdout()}`
  const configured = block.replace(/^apps:\n[^]*?(?=^YAML$)/m, () => apps)
  expect(configured).toContain(apps)
  const made = await paste(configured).ended
  expect(made).toMatchObject({ code: 0, stdout: expect.stringMatching(/^configuration is valid[^]*^ready$/m) })

  const curl = codeOf('docs/deploying.md', 'curl -d \'{"notification"').replace(':5000', `:${port}`)
  expect(await paste(curl).ended).toMatchObject({ code: 0, stdout: '{"rejected":[]}' })
  await simulators.printed('Apple (answered 200) received')
  expect(simulators.stdout()).not.toContain('!r:example.com')

  const forget = codeOf('docs/deploying.md', 'printf %s KEY | podman exec -i')
  const lines = [
    codeOf('docs/deploying.md', 'podman exec hushgate hushgate dead list'),
    codeOf('docs/deploying.md', 'podman run --rm hushgate keygen store'),
    codeOf('helm/README.md', 'docker run --rm ghcr.io/hushgate/hushgate keygen store'),
    forget.replace('KEY', 'b3BlcmF0b3ItMQ==').replace('APP_ID', 'com.example.ios'),
  ]
  const ended = await Promise.all(lines.map((line) => paste(line).ended))
  expect(ended.map(({ code, stderr }) => ({ code, stderr }))).toEqual(lines.map(() => ({ code: 0, stderr: '' })))
})

it('compose with Redis: it is checked, started and ready, and delivers a push', async () => {
  await using services = await startPushServices()
  const [port, adminPort, redisPort] = [await freePort(), await freePort(), await freePort()]
  await using shell = createShell({ EDITOR: 'edit-configuration', COMPOSE_REDIS_PORT: String(redisPort) })
  symlinkSync(join(EXAMPLES, '..'), join(shell.folder, 'config'))
  for (const [name, from] of [
    ['AuthKey_ABC123DEFG.p8', 'AuthKey.p8'],
    ['firebase.json', 'service-account.json'],
  ] as const)
    cpSync(join(services.folder, from), join(shell.folder, 'Downloads', name))
  const example = readFileSync(join(EXAMPLES, 'compose/hushgate/hushgate.yaml'), 'utf8')
  const edited = join(shell.folder, 'edited.yaml')
  writeFileSync(
    edited,
    example
      .replace('redis://redis:6379', `redis://127.0.0.1:${redisPort}`)
      .replace(/^admin:$/m, `http: { host: 127.0.0.1, port: ${port} }\nadmin:\n  port: ${adminPort}`)
      .replace(/^apps:\n[^]*/m, () => services.appsYaml.replaceAll(`${services.folder}/`, '')),
  )
  // What somebody does in an editor, and puts beside it.
  shell.addProgram('edit-configuration', `#!/bin/sh\ncp ${services.folder}/* "\${1%/*}" && cat ${edited} > "$1"\n`)

  const made = await shell.paste(codeOf('docs/deploying.md', 'cp -r config/examples/compose')).ended
  expect(made).toMatchObject({ code: 0, stdout: expect.stringMatching(/^configuration is valid[^]*^ready$/m) })
  const { token, apns } = newPushkey()
  const devices = [{ app_id: 'com.example.ios', pushkey: apns }]
  const answer = await pushTo(`http://127.0.0.1:${port}`, { event_id: '$event', room_id: '!room:example.org', devices })
  expect(answer.status).toBe(200)
  await services.waitFor(token, 1)
})
