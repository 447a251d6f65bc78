/** What is in the image, and what is not. */
import { execFileSync } from 'node:child_process'
import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync, type Dirent } from 'node:fs'
import { join, relative } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { hadolint } from '../../scripts/image-tools.ts'
import { isJsonObject, type JsonObject } from '../../src/core/json.ts'
import { engineCommand } from './container.ts'

const MOST_BYTES = 200e6
const CHECKOUT = join(import.meta.dirname, '../..')

let root: string
let inspected: JsonObject
beforeAll(async () => {
  root = (await engineCommand('image', 'mount', inject('image'))).stdout.trim()
  inspected = firstOf(JSON.parse((await engineCommand('image', 'inspect', inject('image'))).stdout))
})
afterAll(async () => {
  await engineCommand('image', 'unmount', inject('image'))
})

describe('the Dockerfile', () => {
  it('has nothing that hadolint objects to', () => {
    expect(execFileSync(hadolint.program, ['Dockerfile'], { cwd: CHECKOUT, encoding: 'utf8' })).toBe('')
  })
})

describe('the image', () => {
  it('takes less than 200 MB, uncompressed', async ({ annotate }) => {
    await annotate(`${(Number(inspected['Size']) / 1e6).toFixed(1)} MB`)
    expect(inspected['Size']).toBeLessThan(MOST_BYTES)
  })

  it('runs the gateway as a user by number, checks its health without a shell, and stops at SIGTERM', () => {
    expect(inspected['Config']).toMatchObject({
      User: '65532:65532',
      Entrypoint: ['hushgate'],
      Cmd: ['serve'],
      WorkingDir: '/',
      StopSignal: 'SIGTERM',
      ExposedPorts: { '5000/tcp': {} },
      Labels: { 'org.opencontainers.image.version': '0.0.0-test', 'org.opencontainers.image.licenses': 'Apache-2.0' },
    })
    expect(inspected['Healthcheck']).toMatchObject({ Test: ['CMD', 'hushgate', 'health'] })
    // Whoever mounts no volume is to be told, not given one that nobody knows of.
    expect(inspected['Config']).not.toHaveProperty('Volumes')
  })

  it('adds the program, our licence and the command hushgate to its base, and no source', () => {
    expect(readdirSync(join(root, 'app')).sort()).toEqual(['LICENSE', 'dist', 'package.json'])
    expect(filesIn(join(root, 'app/dist')).filter((path) => !path.endsWith('.js'))).toEqual([
      'LICENSES.txt',
      'hushgate.cdx.json',
      'operations/page.css',
      'operations/page.html',
    ])
    expect(readFileSync(join(root, 'usr/local/bin/hushgate'), 'utf8')).toMatch(/^#!\/nodejs\/bin\/node\n/)
  })

  it('names the packages that are in the program, in the versions of the lock file, with their licences', () => {
    const lock: unknown = JSON.parse(readFileSync(join(CHECKOUT, 'package-lock.json'), 'utf8'))
    const locked = isJsonObject(lock) && isJsonObject(lock['packages']) ? Object.entries(lock['packages']) : []
    const versions = locked.map(([path, entry]) => `${path.replace(/^.*node_modules\//, '')} ${versionOf(entry)}`)
    const { components } = JSON.parse(readFileSync(join(root, 'app/dist/hushgate.cdx.json'), 'utf8'))
    const listed: string[] = components.map(({ name, version }: Record<string, string>) => `${name} ${version}`)
    expect(listed.length).toBeGreaterThan(50)
    expect(listed.filter((name) => !versions.includes(name))).toEqual([])
    // The image has the Node of its base, and not the one that the npm package brings.
    expect(listed.filter((name) => name.startsWith('node-linux-'))).toEqual([])
    const licences = readFileSync(join(root, 'app/dist/LICENSES.txt'), 'utf8')
    expect(listed.filter((name) => !licences.includes(`\n${name}: `))).toEqual([])
    expect(licences.match(/permission|licen[cs]e/gi)?.length).toBeGreaterThan(200)
  })

  it('has nothing of ours that fits one architecture only', () => {
    const files = filesIn(join(root, 'app'))
    expect(files.filter((path) => firstBytes(join(root, 'app', path)) === '\u007fELF')).toEqual([])
  })

  it('has one Node, and no shell', () => {
    const files = filesIn(root)
    expect(files.filter((path) => /(^|\/)node$/.test(path))).toEqual(['nodejs/bin/node'])
    expect(files.filter((path) => /(^|\/)(ba|da|z|a|c|k)?sh$|busybox$|toybox$/.test(path))).toEqual([])
  })

  it('lets its user write to nothing but /data and what is temporary, and become nobody else', () => {
    const open = entriesIn(root).filter(({ path, mode, uid }) => {
      if (/^(proc|sys|dev)(\/|$)/.test(path)) return false
      return (mode & 0o002) !== 0 || (uid === 65_532 && (mode & 0o200) !== 0)
    })
    expect(open.map(({ path }) => path).sort()).toEqual(['data', 'tmp', 'var/lock', 'var/tmp'])
    expect(entriesIn(root).filter(({ mode }) => (mode & 0o6000) !== 0 && (mode & 0o111) !== 0)).toEqual([])
  })

  it('can be read by any user, whatever the modes in the checkout', () => {
    const closed = entriesIn(join(root, 'app')).filter(({ mode }) => (mode & 0o004) === 0)
    expect(closed).toEqual([])
  })
})

function versionOf(manifest: unknown): string {
  const version = isJsonObject(manifest) ? manifest['version'] : undefined
  return typeof version === 'string' ? version : ''
}

function entries(folder: string): Dirent[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
}

/** Sorted, relative to the folder. */
function filesIn(folder: string): string[] {
  const files = entries(folder).filter((entry) => entry.isFile())
  return files.map((entry) => relative(folder, join(entry.parentPath, entry.name))).sort()
}

interface Entry {
  readonly path: string
  readonly mode: number
  readonly uid: number
}

function entriesIn(folder: string): Entry[] {
  return entries(folder)
    .filter((entry) => entry.isFile() || entry.isDirectory())
    .map((entry) => {
      const path = join(entry.parentPath, entry.name)
      const { mode, uid } = statSync(path)
      return { path: relative(folder, path), mode, uid }
    })
}

function firstBytes(path: string): string {
  const buffer = Buffer.alloc(4)
  const file = openSync(path, 'r')
  readSync(file, buffer)
  closeSync(file)
  return buffer.toString('latin1')
}

function firstOf(value: unknown): JsonObject {
  const first: unknown = Array.isArray(value) ? value[0] : undefined
  return isJsonObject(first) ? first : {}
}
