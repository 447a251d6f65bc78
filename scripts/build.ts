/**
 * `npm run build`: the program as it is installed, in `dist`. One bundle of our sources and of what they use of other people's packages, because a
 * gateway that loads 200 files of ours and 1,000 of theirs takes a fifth more memory and half a second longer to start (scripts/measure-idle.ts). Beside
 * it: a list of the packages that are in it (CycloneDX, which scanners of images read), and their licences.
 */
import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
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

interface Package {
  readonly name: string
  readonly version: string
  readonly folder: string
  readonly license: string
}

/** Resolves with the packages that are in it. */
async function bundle(): Promise<readonly Package[]> {
  await using build = await rolldown({
    cwd: CHECKOUT,
    input: { program: 'src/main.ts' },
    platform: 'node',
    // A native decoder that its user does without.
    external: ['msgpackr-extract'],
    plugins: [threads],
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
  const { name, version, license }: Package = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  return { name, version, folder, license }
}

/** https://cyclonedx.org/docs/1.6/json/ */
function billOfMaterials(packages: readonly Package[], version: string): JsonObject {
  const components = packages.map((one) => ({
    type: 'library',
    name: one.name,
    version: one.version,
    purl: `pkg:npm/${one.name.replace('@', '%40')}@${one.version}`,
    licenses: [/[ (]/.test(one.license) ? { expression: one.license } : { license: { id: one.license } }],
  }))
  const metadata = { component: { type: 'application', name: 'hushgate', version } }
  return { bomFormat: 'CycloneDX', specVersion: '1.6', version: 1, metadata, components }
}

function licenses(packages: readonly Package[]): string {
  const texts = packages.map(({ name, version, folder, license }) => {
    const files = readdirSync(folder)
    const named = files.filter((file) => /^(licen[cs]e|copying|notice)/i.test(file))
    // A few packages have the text of their licence in their README alone.
    const chosen = named.length > 0 ? named : files.filter((file) => /^readme/i.test(file))
    const text = chosen.sort().map((file) => readFileSync(join(folder, file), 'utf8').trim())
    return [`${name} ${version}: ${license}`, ...text].join('\n\n')
  })
  return `Hushgate holds parts of these packages, each under its own licence.\n\n${texts.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`
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
}

const { version, devEngines }: Manifest = JSON.parse(readFileSync(join(CHECKOUT, 'package.json'), 'utf8'))
const packages = await bundle()
writeFileSync(join(DIST, 'main.js'), entry(devEngines.runtime.version.replace('>=', '')))
chmodSync(join(DIST, 'main.js'), 0o755)
writeFileSync(join(DIST, 'hushgate.cdx.json'), `${JSON.stringify(billOfMaterials(packages, version), null, 2)}\n`)
writeFileSync(join(DIST, 'LICENSES.txt'), licenses(packages))
