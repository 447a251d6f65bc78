/** Every command that a document, a sample or a sentence of the program tells people to type, typed: in a folder with a configuration and simulated push services. */
import { randomUUID } from 'node:crypto'
import { globSync, readFileSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { commandsInDocument, commandsSaid } from './commands.ts'
import { freePort } from '../helpers/free-port.ts'
import {
  createHushgateFolder,
  runHushgate,
  startHushgate,
  type HushgateFolder,
  type HushgateProcess,
} from '../helpers/hushgate-process.ts'
import { newPushkey, startPushServices, type PushServices } from '../helpers/push-services.ts'
import { startRedis, type TestRedis } from '../helpers/redis.ts'

const ROOT = join(import.meta.dirname, '../..')
const DOCUMENTS = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'docs/**/*.md', 'helm/README.md', 'config/**/*.md']
const SENTENCES = ['src/**/*.ts', 'config/**/*.yaml', 'helm/values.yaml', 'helm/templates/*']

function commandsOf(patterns: readonly string[], commandsIn: (text: string) => readonly string[]): readonly string[] {
  return globSync([...patterns], { cwd: ROOT }).flatMap((path) => commandsIn(readFileSync(join(ROOT, path), 'utf8')))
}

const DOCUMENTED = [
  ...new Set([...commandsOf(DOCUMENTS, commandsInDocument), ...commandsOf(SENTENCES, commandsSaid)]),
].sort()
/** They run until they are told to stop; with what they print when they do. */
const STAYING = new Map([
  ['serve', 'Hushgate is running'],
  ['start', 'Hushgate is running'],
  ['simulate', 'web-ca.pem'],
])
/** In a text these are also names, without what they need. */
const NAMES = ['dead', 'rejections', 'keygen', 'move']
const APP = 'com.example.ios'
const PLACEHOLDERS = new Map([
  ['APP', APP],
  ['APP_ID', APP],
  ['FILE', 'redis.yaml'],
])
/** They read a pushkey. */
const OF_A_DEVICE = new Set(['forget', 'find', 'send'])
const NOTIFICATION = JSON.stringify({
  notification: { event_id: '$event', room_id: '!room:example.org', devices: [{ app_id: APP, pushkey: 'a-pushkey' }] },
})

let services: PushServices
let folder: HushgateFolder
/** For those that stay: they open a database of their own. */
let elsewhere: HushgateFolder
let gateway: HushgateProcess
let redis: TestRedis
/** In the place of the one in the documents, which somebody else may have. */
let simulatorPort: number
beforeAll(async () => {
  services = await startPushServices()
  simulatorPort = await freePort()
  redis = await startRedis()
  folder = await prepareFolder(await freePort())
  elsewhere = await prepareFolder(0)
  gateway = startHushgate(['serve'], { folder: folder.path })
  await gateway.running()
})
afterAll(async () => {
  await gateway[Symbol.asyncDispose]()
  await Promise.all([services[Symbol.asyncDispose](), folder[Symbol.asyncDispose](), elsewhere[Symbol.asyncDispose]()])
  await redis.stop()
})

async function prepareFolder(adminPort: number): Promise<HushgateFolder> {
  const prepared = await createHushgateFolder()
  const store = `{ url: "redis://127.0.0.1:${redis.port}", prefix: ${randomUUID()} }`
  await prepared.configure({ appsYaml: services.appsYaml, adminPort, store })
  await rename(prepared.at('hushgate.yaml'), prepared.at('redis.yaml'))
  await prepared.configure({ appsYaml: services.appsYaml, adminPort })
  await prepared.write('notification.json', NOTIFICATION)
  await prepared.write('vapid.pem', (await runHushgate(['keygen', 'vapid'], { folder: prepared.path })).stdout)
  await prepared.write(
    'sygnal.yaml',
    `http: { port: ${await freePort()}, bind_addresses: ['127.0.0.1'] }
metrics: { prometheus: { enabled: true, address: 127.0.0.1, port: ${await freePort()} } }
apps: { com.example.web: { type: webpush, vapid_private_key: vapid.pem, vapid_contact_email: push@example.com } }
`,
  )
  return prepared
}

/** Placeholders are filled in. */
function argumentsOf(command: string): readonly string[] {
  const words = command.replace('--port 7000', `--port ${simulatorPort}`).split(' ')
  return words.map((word) => PLACEHOLDERS.get(word) ?? word.replace(/^\/data\//, ''))
}

/** No gateway may run, and there has to be a database. */
async function typeMove(args: readonly string[]): Promise<{ readonly code: number | null; readonly stderr: string }> {
  await using stopped = await prepareFolder(await freePort())
  await using before = startHushgate(['serve'], { folder: stopped.path })
  await before.running()
  await before.end('SIGTERM')
  return await runHushgate(args, { folder: stopped.path })
}

async function type(command: string): Promise<{ readonly code: number | null; readonly stderr: string }> {
  const args = argumentsOf(command)
  const [name = ''] = args
  if (NAMES.includes(command)) return runHushgate(['help', name], { folder: folder.path })
  if (name === 'move') return typeMove(args)
  const sign = args.includes('--help') ? undefined : STAYING.get(name)
  if (sign === undefined)
    return runHushgate(args, { folder: folder.path, stdin: OF_A_DEVICE.has(name) ? newPushkey().apns : NOTIFICATION })
  await using staying = startHushgate(args, { folder: elsewhere.path })
  await staying.printed(sign)
  staying.signal('SIGTERM')
  return await staying.ended
}

describe('what people are told to type', () => {
  it('is found in code and in sentences', () => {
    expect(DOCUMENTED).toEqual(
      expect.arrayContaining([
        'dead list',
        'check --online',
        'simulate --folder /data/simulators',
        'keygen token',
        'serve --sygnal sygnal.yaml',
        'health --ready',
      ]),
    )
  })

  it('is found also where a container runs it', () => {
    const text = [
      '`printf %s KEY | podman exec -i hushgate hushgate forget --app X`, `sudo hushgate render < body.json`',
      '```sh\npodman run -d --name hushgate \\\n  ghcr.io/hushgate/hushgate:0.1.0\n```',
      '```sh\ndocker run --rm ghcr.io/hushgate/hushgate:0.1.0 keygen store > key   # a new one\n```',
      '`kubectl exec deploy/hushgate -- hushgate dead list`, `docker compose run --rm hushgate check --online`',
    ]
    const found = text.flatMap(commandsInDocument)
    expect(found).toEqual(['forget --app X', 'render', 'keygen store', 'dead list', 'check --online'])
  })

  it.each(DOCUMENTED)('hushgate %s', async (command) => {
    // Nothing is known of a device that never was.
    const code = command.split(' ', 1).join('') === 'find' ? 2 : 0
    expect(await type(command)).toMatchObject({ code, stderr: expect.not.stringContaining('error:') })
  })

  it.each(['dead list --colour', 'deadlist', 'health --online', 'forget --app APP --all', 'check hushgate.yaml'])(
    'would fail with what does not exist: hushgate %s',
    async (command) => {
      expect(await type(command)).toMatchObject({ code: 1, stderr: expect.stringMatching(/^error: /) })
    },
  )

  it('is hushgate, never a file of ours', () => {
    const texts = globSync([...DOCUMENTS, ...SENTENCES, 'Dockerfile', '.github/**/*.yml'], { cwd: ROOT }).map(
      (path) => [path, readFileSync(join(ROOT, path), 'utf8')] as const,
    )
    expect(
      texts.filter(([, text]) => /(?:node|bin\/node) \S*(?:src|dist)\/main/.test(text)).map(([path]) => path),
    ).toEqual([])
  })

  it('is a script of package.json, where npm runs it', () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
    const named = globSync(DOCUMENTS, { cwd: ROOT }).flatMap((path) => [
      ...readFileSync(join(ROOT, path), 'utf8').matchAll(/(?:`|^)npm run ([a-z:]+[a-z])/gm),
    ])
    const names = [...new Set(named.map(([, name = '']) => name))]
    expect(names.length).toBeGreaterThan(5)
    expect(names.filter((name) => !(name in scripts))).toEqual([])
  })
})
