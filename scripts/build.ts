/**
 * `npm run build`: the program as it is installed, in `dist`. One bundle of our sources and of what they use of other people's packages, because a
 * gateway that loads 200 files of ours and 1,000 of theirs takes a fifth more memory and half a second longer to start (scripts/measure-idle.ts). Beside
 * it: a list of the packages that are in it (CycloneDX, which scanners of images read), and their licences. `--image`: without the Node that only the npm
 * package brings.
 */
import { chmodSync, cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { rolldown, type Plugin } from 'rolldown'
import type { JsonObject } from '../src/core/json.ts'

const CHECKOUT = join(import.meta.dirname, '..')
const DIST = join(CHECKOUT, 'dist')

/** A thread begins with a file of its own, which is then an entry beside the program. */
const threads: Plugin = {
  name: 'threads',
  transform: {
    filter: { code: 'new Worker(new URL(' },
    handler(code, path) {
      return code.replaceAll(/(?<=new Worker\(new URL\('\.\/)([\w-]+)\.ts/g, (_file, name: string) => {
        this.emitFile({ type: 'chunk', id: join(path, `../${name}.ts`), fileName: `${name}.js` })
        return `${name}.js`
      })
    },
  },
}

/**
 * What is imported from Node is asked for instead: `import` reads all that a module of Node's exports, and so loads what is behind it. With `node:http` that is
 * undici, 4 MB, which nothing here uses.
 */
const withoutImports: Plugin = {
  name: 'without-imports',
  renderChunk: (code) =>
    code.replaceAll(
      /^import (?:(?:\* as )?([\w$]+)(?:, )?)?(\{.+\})? from "(node:[\w/]+)";$/gm,
      (line, whole: string | undefined, names: string | undefined, module: string) => {
        if (names?.includes('default as') === true) throw new Error(`${line} cannot be asked for in another way`)
        const patterns = [whole, names?.replaceAll(' as ', ': ')].filter((each) => each !== undefined)
        return `const ${patterns.map((each) => `${each} = globalThis.process.getBuiltinModule("${module}")`).join(', ')};`
      },
    ),
}

/** A program with one character outside of Latin-1 takes two bytes for each of its characters as long as it runs. Last, for rolldown prints what it was given anew. */
const latin1: Plugin = {
  name: 'latin1',
  generateBundle(_options, files) {
    for (const file of Object.values(files)) {
      if (file.type !== 'chunk') continue
      // Where a backslash stands before it, or in a template that is taken as it stands, it would become another text.
      const [unsafe] = /\\[\u0100-\uffff]|String\.raw`[^`]*[\u0100-\uffff]/.exec(file.code) ?? []
      if (unsafe !== undefined) throw new Error(`${file.fileName} has ${unsafe}, which cannot be written in Latin-1`)
      file.code = file.code.replaceAll(
        /[\u0100-\uffff]/g,
        (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
      )
    }
  },
}

/** Of BullMQ, what is for queues in PostgreSQL and for jobs that come again by a calendar: 4 MB that nothing here uses. */
const unused: Plugin = {
  name: 'unused',
  resolveId: {
    filter: { id: /^(?:cron-parser|luxon|\.\/sql-scripts)$/ },
    handler: (_id, importer) => (importer?.includes('/node_modules/bullmq/') === true ? '\0unused' : undefined),
  },
  load: { filter: { id: /^\0unused$/ }, handler: () => 'module.exports = {}' },
}

interface Package {
  readonly name: string
  readonly version: string
  readonly folder: string
  readonly license: string
  readonly repository?: string | { readonly url: string }
}

/** Packages under MIT whose archive has no file with its text: whose copyright it is, by their README, or else by package.json. */
const MIT_WITHOUT_FILE = new Map([
  ['abstract-logging', 'James Sumners'],
  ['assert-plus', '2012 Mark Cavage'],
  ['data-uri-to-buffer', '2014 Nathan Rajlich'],
  ['http_ece', 'Martin Thomson'],
])
/** https://spdx.org/licenses/MIT.html */
const MIT = `Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS
FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER
IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`

/** Resolves with the packages that are in it. */
async function bundle(): Promise<readonly Package[]> {
  await using build = await rolldown({
    cwd: CHECKOUT,
    input: { program: 'src/main.ts' },
    platform: 'node',
    // A native decoder that its user does without.
    external: ['msgpackr-extract'],
    plugins: [threads, unused, withoutImports, latin1],
    transform: { define: { __dirname: 'import.meta.dirname', __filename: 'import.meta.filename' } },
  })
  // Not minified: the log says of an error only where it was thrown, and that is to be a place that can be read.
  const { output } = await build.write({
    dir: DIST,
    cleanDir: true,
    comments: false,
    chunkFileNames: '[name]-[hash].js',
  })
  const modules = output.flatMap((file) => (file.type === 'chunk' ? file.moduleIds : []))
  const folders = modules.map((id) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(id)?.[0] ?? '')
  const packages = [...new Set(folders)].filter((folder) => folder !== '').map(readPackage)
  // One that is installed in two places is one.
  const byName = new Map(packages.map((one) => [`${one.name} ${one.version}`, one]))
  return [...byName.values()].sort(
    (one, other) => one.name.localeCompare(other.name, 'en') || one.version.localeCompare(other.version, 'en'),
  )
}

function readPackage(folder: string): Package {
  const manifest: Package = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  return { ...manifest, folder }
}

/** The Node that npm installs with this package; the image has another one, that of its base. */
function nodesBesideIt(): readonly Component[] {
  const names = Object.keys(optionalDependencies)
  return names.map((name) => ({
    name,
    version: locked(name).version,
    license: locked(name).license,
    scope: 'optional',
  }))
}

type Component = Pick<Package, 'name' | 'version' | 'license'> & { readonly scope?: 'optional' }

/** https://cyclonedx.org/docs/1.6/json/ */
function billOfMaterials(packages: readonly Component[], version: string): JsonObject {
  const components = packages.map(({ name, version: itsVersion, license, scope }) => ({
    type: 'library',
    name,
    version: itsVersion,
    ...(scope === undefined ? {} : { scope }),
    // Of the archive, as the lock file has it.
    hashes: [
      { alg: 'SHA-512', content: Buffer.from(locked(name, itsVersion).integrity.slice(7), 'base64').toString('hex') },
    ],
    licenses: [/[ (]/.test(license) ? { expression: license } : { license: { id: license } }],
    purl: `pkg:npm/${name.replace('@', '%40')}@${itsVersion}`,
  }))
  const metadata = { component: { type: 'application', name: 'hushgate', version } }
  return { bomFormat: 'CycloneDX', specVersion: '1.6', version: 1, metadata, components }
}

/** Throws when there is a package whose licence has no text. */
function licenses(packages: readonly Package[]): string {
  const texts = packages.map((one) => {
    const { url } = typeof one.repository === 'object' ? one.repository : { url: one.repository }
    // MPL-2.0 section 3.2 asks for it; others do not mind.
    const source = url === undefined ? [] : [`Source: ${addressOf(url)}`]
    return [`${one.name} ${one.version}: ${one.license}`, ...source, ...licenseTexts(one)].join('\n\n')
  })
  return `Hushgate holds parts of these packages, each under its own licence.\n\n${texts.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`
}

/** For people: npm takes many forms, also OWNER/NAME for a repository on GitHub. */
function addressOf(repository: string): string {
  const address = repository.replace(/^git\+|\.git$/g, '')
  const onGithub = /(?:^|github(?:\.com)?[:/])([\w.-]+\/[\w.-]+)$/.exec(address)?.[1]
  return onGithub === undefined ? address : `https://github.com/${onGithub}`
}

function licenseTexts({ name, folder, license }: Package): readonly string[] {
  const files = readdirSync(folder).filter((file) => /^(licen[cs]e|copying|notice)/i.test(file))
  if (files.length > 0) return files.sort().map((file) => readFileSync(join(folder, file), 'utf8').trim())
  const holder = MIT_WITHOUT_FILE.get(name)
  if (holder === undefined || license !== 'MIT')
    throw new Error(
      `${name} has no file with its licence (${license}): see how it is meant, and say so in scripts/build.ts`,
    )
  return [`Copyright (c) ${holder}`, MIT]
}

/** What is started. An older Node does not even read the bundle, so it is asked for before. */
function entry(oldest: string): string {
  const [major = '', minor = ''] = oldest.split('.')
  return `#!/usr/bin/env node
const [major, minor] = process.versions.node.split('.').map(Number)
if (major > ${major} || (major === ${major} && minor >= ${minor})) await import('./program.js')
else {
  process.stderr.write(
    \`Hushgate needs Node ${oldest} or newer, and this is \${process.versions.node}: get it from https://nodejs.org, or type hushgate, which brings its own on Linux\\n\`,
  )
  process.exitCode = 1
}
`
}

interface Manifest {
  readonly version: string
  readonly devEngines: { readonly runtime: { readonly version: string } }
  readonly optionalDependencies: Readonly<Record<string, string>>
}

interface Lock {
  readonly packages: Readonly<Record<string, Locked>>
}

interface Locked {
  readonly version: string
  readonly integrity: string
  readonly license: string
}

/** What the lock file says of a package, of which there may be several versions. Throws when there is no such package. */
function locked(name: string, wanted?: string): Locked {
  const found = Object.entries(lock.packages).find(
    ([path, one]) => path.endsWith(`node_modules/${name}`) && (wanted === undefined || one.version === wanted),
  )
  if (found === undefined) throw new Error(`${name} ${wanted ?? ''} is not in package-lock.json: run npm ci`)
  return found[1]
}

const { version, devEngines, optionalDependencies }: Manifest = JSON.parse(
  readFileSync(join(CHECKOUT, 'package.json'), 'utf8'),
)
const lock: Lock = JSON.parse(readFileSync(join(CHECKOUT, 'package-lock.json'), 'utf8'))
const packages = await bundle()
// What the admin port serves as it is.
cpSync(join(CHECKOUT, 'src/http/operations'), join(DIST, 'operations'), { recursive: true })
const brought = process.argv.includes('--image') ? [] : nodesBesideIt()
writeFileSync(join(DIST, 'main.js'), entry(devEngines.runtime.version.replace('>=', '')))
chmodSync(join(DIST, 'main.js'), 0o755)
writeFileSync(
  join(DIST, 'hushgate.cdx.json'),
  `${JSON.stringify(billOfMaterials([...packages, ...brought], version), null, 2)}\n`,
)
writeFileSync(join(DIST, 'LICENSES.txt'), licenses(packages))
