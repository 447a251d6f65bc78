/**
 * A provider is one folder and one line: one that exists only here is passed in where providers/index.ts is, and everything else follows. No file of
 * the gateway knows of it.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { check } from '../../src/commands/check.ts'
import { render } from '../../src/commands/render.ts'
import { schema } from '../../src/commands/schema.ts'
import { loadConfig } from '../../src/config/load.ts'
import { isJsonObject } from '../../src/core/json.ts'
import { providers } from '../../src/providers/index.ts'
import { createAuthority } from '../../src/simulators/certificate.ts'
import { startHttpsFront, type HttpsFront } from '../../src/simulators/https-front.ts'
import { textSink } from '../helpers/text-sink.ts'
import { telegraph } from '../fixtures/made-up-provider/index.ts'
import { metricValue, startGateway, type TestGateway } from '../helpers/gateway.ts'
import { until } from '../helpers/received.ts'

const kinds = { ...providers, telegraph }
const APP = 'com.example.telegraph'
const LABELS = { app: APP, provider: 'telegraph' }

let folder: string
let office: HttpsFront
let gateway: TestGateway
const telegrams = new Map<string, string>()

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hushgate-made-up-'))
  const authority = createAuthority()
  office = await startHttpsFront({
    authority,
    names: [],
    async answer({ url, headers, body }) {
      const [, , pushkey = ''] = url.split('/')
      telegrams.set(pushkey, body.toString())
      if (headers['licence'] !== 'STOP 1844') return { status: 401 }
      return { status: pushkey === 'moved-away' ? 404 : 200 }
    },
  })
  await writeFile(join(folder, 'ca.pem'), authority.certificate)
  await writeFile(join(folder, 'licence'), 'STOP 1844\n')
  await writeFile(join(folder, 'old-licence'), 'STOP 1843\n')
  gateway = await startGateway({ folder, kinds, appsYaml: appsYaml() })
})
afterAll(async () => {
  await gateway.close()
  await office.close()
  await rm(folder, { recursive: true })
})

function appsYaml(more = '', licence = 'licence'): string {
  return `apps:
  ${APP}:
    type: telegraph
    licence_file: ${licence}
    office: ${office.url}
    ca_file: ca.pem
${more}`
}

async function configFile(yaml: string): Promise<string> {
  const path = join(folder, 'other.yaml')
  await writeFile(path, `store: { url: "sqlite:./other.db" }\n${yaml}`)
  return path
}

async function checked(yaml: string, online = false) {
  const [stdout, stderr] = [textSink(), textSink()]
  const path = await configFile(yaml)
  const code = await check({ path, env: {}, kinds, stdout, stderr, online })
  return { code, stdout: stdout.text(), stderr: stderr.text() }
}

function notification(pushkey: string): object {
  return {
    event_id: '$event',
    room_id: '!room:example.org',
    sender: '@alice:example.org',
    counts: { unread: 1 },
    devices: [{ app_id: APP, pushkey }],
  }
}

describe('a push service that nobody knows', () => {
  it('has its section in the JSON Schema of the configuration', () => {
    const stdout = textSink()
    expect(schema({ kinds, stdout })).toBe(0)
    expect(stdout.text()).toContain('"The licence to send telegrams."')
  })

  it('has its mistakes told by check, those of its files and of an app that rings too', async () => {
    const { code, stderr } = await checked(appsYaml('    bell: true\n    release_every: 1s\n', 'ca.pem'))
    expect(code).toBe(1)
    expect(stderr).toMatch(/:5: apps\["com.example.telegraph"\]\.licence_file: \S+ is no licence/)
    expect(stderr).toMatch(/:8: .*\.bell: a telegram that rings has to say for whom it is; set privacy: event_id_only/)
    expect(stderr).toMatch(/:9: .*\.release_every: is not for bell: true, as a call must ring at once; delete the line/)
  })

  it('is asked about its credential by check --online', async () => {
    expect(await checked(appsYaml(), true)).toMatchObject({ code: 0, stdout: expect.stringContaining(': accepted') })
    expect(await checked(appsYaml('', 'old-licence'), true)).toMatchObject({
      code: 1,
      stdout: expect.stringContaining(`${APP}: 401`),
    })
  })

  it('gets its deliveries out of the queue, and its refusals become rejected pushkeys', async () => {
    expect(await gateway.notify(notification('morse'))).toEqual({ status: 200, json: { rejected: [] } })
    await until('the telegram came', () => telegrams.has('morse'))
    expect(telegrams.get('morse')).toBe('SYNC')
    await gateway.notify(notification('moved-away'))
    const isRejected = async (): Promise<boolean> =>
      JSON.stringify((await gateway.notify(notification('moved-away'))).json).includes('moved-away')
    await until('the pushkey is rejected', isRejected)
  })

  it('is a label of the metrics', async () => {
    const delivered = async (): Promise<number | undefined> =>
      metricValue(await gateway.metrics(), 'hushgate_outcomes_total', { ...LABELS, outcome: 'delivered' })
    await until('it is counted', async () => (await delivered()) === 1)
    const refused = { ...LABELS, outcome: 'rejected', reason: '404' }
    expect(metricValue(await gateway.metrics(), 'hushgate_push_service_refusals_total', refused)).toBe(1)
  })

  it('is in the privacy statement with what it alone learns', async () => {
    const statement: unknown = await (await fetch(`${gateway.url}/_hushgate/privacy`)).json()
    const apps = isJsonObject(statement) ? statement['apps'] : undefined
    expect(apps).toMatchObject([
      {
        app: APP,
        push_service: 'telegraph',
        learns: {
          prio: { push_service: [] },
          content: { push_service: ['category'] },
          time: { push_service: ['as_sent'] },
        },
      },
    ])
  })

  it('is called by its name on the page for people', async () => {
    const page = await (await fetch(gateway.url)).text()
    expect(page).toContain('Through the wire (Telegraph).')
    expect(page).toContain('The telegraph office learns <em>that</em> something came')
  })

  it('is shown by render with what it would be sent', async () => {
    const stdout = textSink()
    const config = await loadConfig({ path: await configFile(appsYaml()), env: {}, kinds })
    const body = Buffer.from(JSON.stringify({ notification: notification('morse') }))
    expect(await render({ config, kinds, body, stdout, nowMs: Date.now() })).toBe(0)
    expect(stdout.text()).toContain(`${APP} (telegraph, privacy: minimal`)
    expect(stdout.text()).toMatch(/\n +SYNC\n/)
  })
})
