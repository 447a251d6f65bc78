/** Hushgate as it is installed: what `npm pack` makes, in an empty prefix, with the Node that it brings and no other. And what a checkout has in its place. */
import { spawn, spawnSync } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { codeOf } from '../../scripts/document-code.ts'
import { linesToPaste, paste } from './demonstration-lines.ts'
import { follow, type HushgateProcess } from '../helpers/hushgate-process.ts'
import { startPushServices } from '../helpers/push-services.ts'

const CHECKOUT = join(import.meta.dirname, '../..')
const VERSION: string = JSON.parse(await readFile(join(CHECKOUT, 'package.json'), 'utf8')).version
/** The shell's own things, and nothing that could start Node. */
const SHELL_TOOLS = ['sh', 'dirname', 'readlink', 'uname'] as const
/** As in a terminal: without what npm and vitest put before it. */
const TERMINAL_PATH = (process.env['PATH'] ?? '').split(':').filter((folder) => !folder.includes('node_modules'))

let folder: string
/** Where npm put the package, and the only folder on the path but for the tools of the shell. */
let installed: string
let path: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hushgate-installed-'))
  await mkdir(join(folder, 'tools'))
  for (const tool of SHELL_TOOLS) await symlink(`/bin/${tool}`, join(folder, 'tools', tool))
  npm(...codeOf('CONTRIBUTING.md', 'npm pack').split(' ').slice(1), '--pack-destination', folder)
  const [install = ''] = codeOf('README.md', 'npm install --global').split('\n')
  const words = install.replace(/https:\S+\.tgz/, join(folder, `hushgate-${VERSION}.tgz`)).split(' ')
  npm(...words.slice(1), '--prefix', join(folder, 'prefix'), '--prefer-offline')
  installed = join(folder, 'prefix/lib/node_modules/hushgate')
  path = `${folder}/prefix/bin:${folder}/tools`
}, 300_000)
afterAll(() => rm(folder, { recursive: true }))

function npm(...args: readonly string[]): void {
  const env = { ...process.env, PATH: TERMINAL_PATH.join(':') }
  const options = { cwd: CHECKOUT, env, encoding: 'utf8' } as const
  const { status, stdout, stderr } = spawnSync('npm', [...args, '--no-audit', '--no-fund'], options)
  if (status !== 0) throw new Error(`npm ${args.join(' ')} failed:\n${stdout}${stderr}`)
}

async function emptyFolder(): Promise<string> {
  return mkdtemp(join(folder, 'empty-'))
}

function typed(command: string, cwd: string, commandPath = path): HushgateProcess {
  return follow(
    spawn('/bin/sh', ['-c', `exec ${command}`], { cwd, env: { PATH: commandPath, HOME: process.env['HOME'] } }),
  )
}

describe('the package', () => {
  it('is the program, its documents and samples: no source, no test, and no other package but Node', async () => {
    const files = await readdir(installed, { recursive: true })
    expect(await readdir(installed)).toEqual([
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'SECURITY.md',
      'bin',
      'config',
      'dist',
      'docs',
      'helm',
      'node_modules',
      'package.json',
    ])
    expect(files).toEqual(
      expect.arrayContaining([
        'config/hushgate.sample.yaml',
        'config/hushgate.schema.json',
        'docs/deploying.md',
        'helm/files/alerts.yaml',
      ]),
    )
    expect(files.filter((file) => /^(bin|dist)\/.*\.ts$|(^|\/)(src|test)(\/|$)/.test(file))).toEqual([])
    const packages = (await readdir(join(installed, 'node_modules'))).filter((name) => !name.startsWith('.'))
    expect(packages).toEqual([expect.stringMatching(/^node-linux-/)])
  })

  it('names the packages that are in the program, with their licences', async () => {
    const { components } = JSON.parse(await readFile(join(installed, 'dist/hushgate.cdx.json'), 'utf8'))
    const licences = await readFile(join(installed, 'dist/LICENSES.txt'), 'utf8')
    const names: string[] = components.map(({ name, version }: Record<string, string>) => `${name} ${version}`)
    expect(names).toEqual(
      expect.arrayContaining([expect.stringMatching(/^fastify /), expect.stringMatching(/^bullmq /)]),
    )
    // Node comes as a package of its own, which has its licence.
    const bundled = names.filter((name) => !name.startsWith('node-linux-'))
    expect(names.length - bundled.length).toBe(2)
    expect(bundled.filter((name) => !licences.includes(`\n${name}: `))).toEqual([])
    expect(names).toEqual([...new Set(names)])
    const hashes: string[] = components.map((one: { hashes: { content: string }[] }) => one.hashes[0]?.content)
    expect(hashes.filter((hash) => !/^[0-9a-f]{128}$/.test(hash))).toEqual([])
  })

  it('has of each package the text of a licence, and says where its source is', async () => {
    const [, ...parts] = (await readFile(join(installed, 'dist/LICENSES.txt'), 'utf8')).split(
      /^(?=(?:@[\w.-]+\/)?[\w.-]+ \d+\.\d+\.\d+\S*: )/m,
    )
    expect(parts.length).toBeGreaterThan(50)
    const text =
      /Permission is hereby granted|Permission to use, copy|Apache License|Redistribution and use|Mozilla Public/
    expect(parts.filter((part) => !text.test(part) || !part.includes('\nSource: https://'))).toEqual([])
  })
})

describe('the program', () => {
  it('takes one byte of memory for each of its characters', async () => {
    const files = (await readdir(join(installed, 'dist'))).filter((file) => file.endsWith('.js'))
    const texts = await Promise.all(files.map((file) => readFile(join(installed, 'dist', file), 'utf8')))
    expect(files.filter((_, index) => /[^\0-\u00ff]/.test(texts[index] ?? ''))).toEqual([])
  })

  it('serves without undici, which nothing of it uses', async () => {
    await using services = await startPushServices()
    const home = await emptyFolder()
    const yaml = `http: { host: 127.0.0.1, port: 0 }\nadmin: { port: 0 }\n${services.appsYaml}`
    await writeFile(join(home, 'hushgate.yaml'), yaml)
    const tell = `process.on('exit', () => process.stderr.write(process.moduleLoadList.filter((name) => /http|undici/.test(name)).join(' ')))`
    const args = [
      '--import',
      `data:text/javascript,${encodeURIComponent(tell)}`,
      join(installed, 'dist/main.js'),
      'serve',
    ]
    await using gateway = follow(spawn(process.execPath, args, { cwd: home, env: {} }))
    await gateway.printed('Hushgate is running')
    gateway.signal('SIGTERM')
    const { stderr } = await gateway.ended
    expect(stderr).toContain('_http_server')
    expect(stderr).not.toContain('undici')
  })
})

describe('hushgate, installed', () => {
  it('says its version, on a path without Node', async () => {
    expect(await typed('hushgate --version', await emptyFolder()).ended).toEqual({
      code: 0,
      signal: null,
      stdout: `${VERSION}\n`,
      stderr: '',
    })
  })

  it('checks a configuration', async () => {
    await using services = await startPushServices()
    const home = await emptyFolder()
    await writeFile(join(home, 'hushgate.yaml'), services.appsYaml)
    expect(await typed('hushgate check --online', home).ended).toMatchObject({ code: 0, stderr: '' })
  })

  it('starts the demonstration in an empty folder, and Apple, Google and a browser are told of the notification that it prints', async () => {
    await using demonstration = typed('hushgate start', await emptyFolder())
    await demonstration.printed('Stop: Ctrl-C')
    const { curl, node } = linesToPaste(demonstration.stdout())
    expect(await paste(curl, 'dash')).toBe('{"rejected":[]}')
    expect(await paste(node, 'dash')).toBe('{"rejected":[]}')
    for (const who of ['Apple', 'Google', 'Browser']) await demonstration.printed(`${who} received`, 2)
    // The launcher is not in between: it would not pass on the signal.
    demonstration.signal('SIGTERM')
    expect(await demonstration.ended).toMatchObject({ code: 0, stderr: '' })
  })
})

describe('where there is no Node that is new enough', () => {
  it('hushgate says in one sentence what it needs', async () => {
    const home = await emptyFolder()
    await cp(join(installed, 'bin'), join(home, 'bin'), { recursive: true })
    expect(await typed('bin/hushgate serve', home, join(folder, 'tools')).ended).toEqual({
      code: 1,
      signal: null,
      stdout: '',
      stderr: 'hushgate needs Node 24.12 or newer, and there is none on this machine: get it from https://nodejs.org\n',
    })
  })

  it.each(['18.20.4', '24.11.1'])('the program says it to Node %s', async (version) => {
    const pretence = `Object.defineProperty(process.versions, 'node', { value: '${version}' })`
    const args = [
      '--import',
      `data:text/javascript,${encodeURIComponent(pretence)}`,
      join(installed, 'dist/main.js'),
      'serve',
    ]
    const { code, stdout, stderr } = await follow(spawn(process.execPath, args, { env: {} })).ended
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toBe(
      `Hushgate needs Node 24.12 or newer, and this is ${version}: get it from https://nodejs.org, or type hushgate, which brings its own on Linux\n`,
    )
  })
})

describe('npx hushgate, in a checkout', () => {
  it('runs the sources, whatever Node is on the path', async () => {
    const { code, stdout } = await typed('npx hushgate --version', CHECKOUT, TERMINAL_PATH.join(':')).ended
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${VERSION}\n` })
  })
})
