/** That the linter enforces the table of who may import whom (oxlint.config.ts, docs/architecture.md): shown by breaking each rule in a copy of `src`. */
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { providers } from '../src/providers/index.ts'

const ROOT = join(import.meta.dirname, '..')
const OXLINT = join(ROOT, 'node_modules/.bin/oxlint')

/** What, in which folder, and the import. */
const FORBIDDEN = [
  ['a folder of its height', 'src/intake', `import { x } from '../delivery/worker.ts'`],
  ['a folder of its height as a type', 'src/delivery', `import type { X } from '../operator/operator.ts'`],
  ['a folder of its height by a detour', 'src/operator', `import { x } from './../intake/intake.ts'`],
  ['a folder above it', 'src/intake', `import { x } from '../http/notify-server.ts'`],
  ['a folder above it as a type', 'src/store', `import type { X } from '../memory/deduplication.ts'`],
  ['a folder that is none of its business', 'src/http', `import { x } from '../store/contract.ts'`],
  ['a folder of its height to pass it on', 'src/memory', `export { x } from '../metrics/metrics.ts'`],
  ['what stands above it', 'src/store/redis', `import { x } from '../../gateway.ts'`],
  ['what stands above it by a detour', 'src/intake', `import { x } from '../core/../http/notify-server.ts'`],
  ['what stands above it, from a folder of a folder', 'src/config/sygnal', `import { x } from '../../gateway.ts'`],
  ['what is behind the contract of the store', 'src/memory', `import { x } from '../store/redis/job.ts'`],
  ['another provider by a detour', 'src/providers/apns', `import { x } from '../shared/../fcm/payload.ts'`],
  ['what stands above the providers', 'src/providers', `import { x } from '../http/notify-server.ts'`],
  ['the other store', 'src/store/sqlite', `import { x } from '../redis/job.ts'`],
  ['another provider', 'src/providers/apns', `import { x } from '../fcm/payload.ts'`],
  ['a provider, though shared by all', 'src/providers/shared', `import type { X } from '../fcm/answers.ts'`],
  ["a provider's SDK, though shared by all", 'src/providers/shared', `import { x } from 'web-push'`],
  ['another provider as a type', 'src/providers/webpush', `import type { X } from '../apns/options.ts'`],
  ['an SDK outside its home', 'src/http', `import { x } from 'firebase-admin/messaging'`],
  ['an SDK outside its home when it is needed', 'src/http', `export const x = () => import('firebase-admin')`],
  [
    'a provider by a detour',
    'src/providers/shared/connections',
    `import { x } from '../../../core/../providers/fcm/payload.ts'`,
  ],
  ["another provider's SDK", 'src/providers/fcm', `import { x } from '@parse/node-apn'`],
  ['an SDK in a folder of a folder', 'src/http/folder', `import { x } from 'bullmq'`],
  ['anything as a type, in the core', 'src/core', `import type { X } from '../config/config.ts'`],
  ['the file system, in the core', 'src/core', `import { x } from 'node:fs'`],
  ['the time of day, where nothing is of the outside', 'src/memory', `import { x } from 'node:timers'`],
] as const

const ALLOWED = [
  ['its own files', 'src/http', `import { x } from './notify-server.ts'`],
  ['the core', 'src/providers/apns', `import { x } from '../../core/json.ts'`],
  ['the contract, where things are stored', 'src/store/redis', `import { x } from '../contract.ts'`],
  ['what all push services share', 'src/providers/fcm', `import { x } from '../shared/answers.ts'`],
  ['its own SDK', 'src/providers/fcm', `import { x } from 'firebase-admin/messaging'`],
  ['its own SDK when it is needed', 'src/store/redis', `export const x = () => import('bullmq')`],
] as const

/** Where the parts meet: no row of the table, so anything of ours may be imported. */
const COMPOSED = ['src', 'src/commands', 'src/commands/demonstration', 'src/commands/simulation']
/** Outside packages for which such a place is the home. TypeBox says what things look like, and may do so anywhere. */
const HOMES_THERE = [
  'src/log.ts pino',
  'src/main.ts commander',
  'src/operator-commands.ts commander',
  'src/simulate-command.ts commander',
]

let folder: string
/** Forbidden imports by the file that has them, as the linter explains them. */
let findings: ReadonlyMap<string, readonly string[]>
let sourceFolders: readonly string[]
/** Files that are part of a circle of imports. */
let circles: readonly string[]

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hushgate-architecture-'))
  await cp(join(ROOT, 'src'), join(folder, 'src'), { recursive: true })
  // The project's own rules; types would only cost time, and no import rule needs them.
  const rules = `import config from '${join(ROOT, 'oxlint.config.ts')}'\n`
  await writeFile(
    join(folder, 'oxlint.config.ts'),
    `${rules}export default { ...config, options: { typeAware: false } }\n`,
  )
  const files = await readdir(join(ROOT, 'src'), { recursive: true })
  sourceFolders = [...new Set(files.filter(isSource).map((file) => dirname(join('src', file))))]
  for (const [index, [, where, source]] of FORBIDDEN.entries()) await plant(`${where}/forbidden-${index}.ts`, source)
  for (const [index, [, where, source]] of ALLOWED.entries()) await plant(`${where}/allowed-${index}.ts`, source)
  for (const where of sourceFolders) await plant(`${where}/foreign.ts`, foreignImport(where))
  await plant('src/core/circle-a.ts', `import type { B } from './circle-b.ts'\nexport type A = B | undefined`)
  await plant('src/core/circle-b.ts', `import type { A } from './circle-a.ts'\nexport type B = A | null`)
  const diagnostics = await lint()
  findings = helpByFile(diagnostics.filter(({ code }) => code === 'eslint(no-restricted-imports)'))
  circles = diagnostics
    .filter(({ code }) => code === 'import(no-cycle)')
    .map(({ filename }) => filename)
    .toSorted()
})
afterAll(() => rm(folder, { recursive: true }))

describe('a file', () => {
  it.each(FORBIDDEN.map(([what, where], index) => [what, where, index] as const))(
    'that imports %s is refused in %s',
    (_, where, index) => {
      expect(findings.get(`${where}/forbidden-${index}.ts`)?.join()).toMatch(
        /^src\/\S+ may import only its own files and: /,
      )
    },
  )

  it.each(ALLOWED.map(([what, where], index) => [what, where, index] as const))(
    'that imports %s is fine in %s',
    (_, where, index) => {
      expect(findings.get(`${where}/allowed-${index}.ts`)).toBeUndefined()
    },
  )
})

it('two files that import each other are refused, be it for types alone', () => {
  expect(circles).toEqual(['src/core/circle-a.ts', 'src/core/circle-b.ts'])
})

it('every folder has its row in the table, but for those where the parts meet', () => {
  const withoutRow = sourceFolders.filter((where) => !findings.has(`${where}/foreign.ts`))
  expect(withoutRow.toSorted()).toEqual(COMPOSED)
})

it('the sources break no rule', () => {
  const own = [...findings].filter(([file]) => !/\/(forbidden-\d+|allowed-\d+|foreign|circle-[ab])\.ts$/.test(file))
  expect(own).toEqual([])
})

it('where the parts meet, no outside package is used but those that have their home there', async () => {
  const used: string[] = []
  for (const where of COMPOSED)
    for (const name of (await readdir(join(ROOT, where))).filter(isSource)) {
      const text = await readFile(join(ROOT, where, name), 'utf8')
      const specifiers = [...text.matchAll(/(?:\bfrom |\bimport\(|^import )'([^']+)'/gm)].map(
        ([, specifier]) => specifier,
      )
      used.push(
        ...specifiers
          .filter((each) => !/^(\.|node:|typebox\b)/.test(each ?? ''))
          .map((each) => `${where}/${name} ${each}`),
      )
    }
  expect(used.toSorted()).toEqual(HOMES_THERE)
})

it.each(Object.keys(providers))('the provider %s has the same rooms as the others', async (name) => {
  const files = await readdir(join(ROOT, 'src/providers', name))
  const rooms = ['index', 'options', 'inspect', 'payload', 'answers', 'disclosures', 'sender']
  expect(files).toEqual(expect.arrayContaining(rooms.map((room) => `${room}.ts`)))
})

it('no code but its own, the simulators and what reads Sygnal knows a push service by name', async () => {
  const names = new RegExp(`\\b(?:${[...Object.keys(providers), 'hedwig', 'voip'].join('|')})\\b`)
  const mayKnow =
    /^(?:providers|simulators|config\/sygnal|commands\/demonstration|commands\/simulation)\/|^commands\/(?:simulate|simulators|simulated-browser|demonstrate)\.ts$/
  const files = (await readdir(join(ROOT, 'src'), { recursive: true })).filter(isSource)
  const knowing: string[] = []
  for (const file of files.filter((each) => !mayKnow.test(each)))
    if (names.test(withoutDiscovery(withoutComments(await readFile(join(ROOT, 'src', file), 'utf8')))))
      knowing.push(file)
  expect(knowing).toEqual([])
})

function withoutComments(source: string): string {
  return source.replaceAll(/\/\*[^]*?\*\/|(?<!:)\/\/.*/g, '')
}

/** What apps ask of any gateway has the word in it, and so has the path at which that protocol is spoken, whatever push service is behind it. */
function withoutDiscovery(source: string): string {
  return source.replace(`unifiedpush: { gateway: 'matrix' }`, '').replace(`'/_hushgate/webpush/'`, '')
}

function isSource(file: string): boolean {
  return file.endsWith('.ts') && !file.endsWith('.d.ts')
}

function foreignImport(where: string): string {
  return `import { x } from '${where === 'src/store/redis' ? 'firebase-admin' : 'bullmq'}'`
}

async function plant(file: string, source: string): Promise<void> {
  await mkdir(dirname(join(folder, file)), { recursive: true })
  await writeFile(join(folder, file), `${source}\n`, { flag: 'wx' })
}

interface Diagnostic {
  readonly code: string
  readonly filename: string
  readonly help: string
}

async function lint(): Promise<readonly Diagnostic[]> {
  const output = await new Promise<string>((resolve) => {
    // It ends with a failure when it finds something, which it is meant to.
    execFile(OXLINT, ['--format', 'json', 'src'], { cwd: folder, maxBuffer: 64 * 1024 * 1024 }, (_, stdout) =>
      resolve(stdout),
    )
  })
  return JSON.parse(output).diagnostics
}

function helpByFile(diagnostics: readonly Diagnostic[]): ReadonlyMap<string, readonly string[]> {
  const byFile = Map.groupBy(diagnostics, ({ filename }) => filename)
  return new Map([...byFile].map(([file, ofFile]) => [file, ofFile.map(({ help }) => help)]))
}
