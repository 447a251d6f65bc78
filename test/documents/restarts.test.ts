/** What the documents say of restarts, and of the memory that a pod asks for, is what the program does and takes. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { RESTART_ONLY, restartOnly } from '../../src/config/reload.ts'
import { createToken } from '../../src/config/keys.ts'
import { createKeyFile } from '../../src/core/keyring.ts'
import { createAuthority } from '../../src/simulators/certificate.ts'
import { configFolder, GOOD_APP, type ConfigFolder } from '../helpers/config-folder.ts'

const ROOT = join(import.meta.dirname, '../..')
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const operating = read('docs/operating.md')

/** Every file that a setting names, but for what is of an app alone. */
const YAML = `
proxy_file: proxy
store: { url: "rediss://redis.example.org", username: hushgate, password_file: redis-password, ca_file: redis-ca }
queue: { encryption_key_file: keys }
admin: { token_file: token }
tracing: { otlp_url: "https://collector.example.org", headers_file: headers, ca_file: collector-ca }
apps:
${GOOD_APP}
`
/** By its name: what may stand in it. */
const FILES: Readonly<Record<string, readonly [before: () => string, after: () => string]>> = {
  proxy: [() => 'http://push:old@192.0.2.20:3128', () => 'http://push:new@192.0.2.20:3128'],
  'redis-password': [() => 'old', () => 'new'],
  'redis-ca': [authority, authority],
  keys: [createKeyFile, createKeyFile],
  token: [createToken, createToken],
  headers: [() => 'authorization=old', () => 'authorization=new'],
  'collector-ca': [authority, authority],
  key: [() => 'coo', () => 'coo coo'],
}

function authority(): string {
  return createAuthority().certificate
}

let folder: ConfigFolder
let needed: ReadonlyMap<string, readonly string[]>
beforeAll(async () => {
  folder = await configFolder()
  for (const [name, [before]] of Object.entries(FILES)) await folder.write(name, before())
  const found = new Map<string, readonly string[]>()
  for (const [name, [, after]] of Object.entries(FILES)) {
    const config = await folder.load(YAML)
    await folder.write(name, after())
    found.set(name, restartOnly(config, await folder.load(YAML)))
  }
  needed = found
})
afterAll(() => folder[Symbol.asyncDispose]())

const needsRestart = (file: string): boolean => (needed.get(file) ?? []).length > 0

describe('docs/operating.md', () => {
  it('lists the settings that only a restart changes', () => {
    const [, section = ''] = /^### What needs a restart$(.*?)^## /ms.exec(operating) ?? []
    const named = [...section.matchAll(/`([a-z_]+(?:\.[a-z_]+)*)`/g)].map(([, setting = '']) => setting)
    expect(named.toSorted()).toEqual(Object.keys(RESTART_ONLY).toSorted())
  })

  /** The file of each row of "Replacing a credential". Those of a push service are files of an app. */
  const CREDENTIALS: Readonly<Record<string, string>> = {
    "Apple's key (`.p8`)": 'key',
    "Apple's certificate": 'key',
    "Google's service account": 'key',
    'the VAPID key of a web app': 'key',
    "the proxy's password": 'proxy',
    'the password of Redis': 'redis-password',
    'the admin token': 'token',
    'the encryption key': 'keys',
  }

  it('says of each credential whether its replacement needs a restart', () => {
    const [, section = ''] = /^## Replacing a credential$(.*?)^#/ms.exec(operating) ?? []
    const rows = [...section.matchAll(/^\| ([^|]+) \| .* \| (yes|no) \|$/gm)].map(([, what = '', restart]) => [
      what,
      restart === 'yes',
    ])
    const expected = Object.entries(CREDENTIALS).map(([what, file]) => [what, needsRestart(file)])
    expect(rows).toEqual(expected)
    expect(rows.map(([, restart]) => restart)).toContain(true)
  })
})

describe('helm/README.md', () => {
  /** What a Secret or ConfigMap may hold for the gateway, in its words. */
  const WORDS: Readonly<Record<string, string>> = {
    "the store's password": 'redis-password',
    authority: 'redis-ca',
    'the encryption key': 'keys',
    'the admin token': 'token',
    'an app': 'key',
    'the proxy': 'proxy',
    'the collector of traces': 'headers',
    'its authority': 'collector-ca',
  }

  it('says which changed Secrets need a restart, and which do not', () => {
    const text = read('helm/README.md').replaceAll(/\s+/g, ' ')
    const [, used = ''] = /A changed Secret of yours\*\* for ([^.]+?) is used within about two minutes/.exec(text) ?? []
    const [, atStart = ''] = /What is read only at the start needs one: ([^;]+);/.exec(text) ?? []
    const listed = (sentence: string): string[] =>
      sentence.split(/, (?:or |and )?(?:for )?| and (?:for )?| or (?:for )?/)
    const those = (isNeeded: boolean): string[] =>
      Object.entries(WORDS).flatMap(([words, file]) => (needsRestart(file) === isNeeded ? [words] : []))
    expect(listed(atStart)).toEqual(those(true))
    expect(listed(used)).toEqual(those(false))
  })

  it('says when old pods go: of a Deployment once new ones are ready, with SQLite before', () => {
    const text = read('helm/README.md').replaceAll(/\s+/g, ' ')
    expect(text).toContain('Pods of a Deployment (any Redis) stay until new ones are ready')
    expect(text).toContain('With SQLite there is one pod, which ends before the next begins')
    const template = read('helm/templates/gateway.yaml')
    expect(template).toContain('rollingUpdate: { maxUnavailable: 0, maxSurge: 1 }')
    expect(template).toMatch(/store\.kind "sqlite" \}\}[^]*kind: StatefulSet[^]*\{\{- else \}\}[^]*kind: Deployment/)
  })

  it('the requests of memory are more than a gateway takes under load, and the limit is that of the sizing', () => {
    const [, idle, load, limit] = /^\| memory \| (\d+) MB idle, (\d+) MB under .* Limit: (\d+) MB \|$/m.exec(
      read('docs/deploying.md'),
    ) ?? ['', 'none', 'none', 'none']
    const { requests, limits } = resources()
    expect(Number(load)).toBeGreaterThan(Number(idle))
    expect(megabytes(requests.memory)).toBeGreaterThanOrEqual(Number(load))
    expect(Number.parseInt(limits.memory, 10)).toBe(Number(limit))
  })
})

interface Resources {
  readonly requests: { readonly memory: string }
  readonly limits: { readonly memory: string }
}

/** Of a pod that does everything. */
function resources(): Resources {
  const values: { roles: { all: { resources: Resources } } } = parse(read('helm/values.yaml'), { merge: true })
  return values.roles.all.resources
}

function megabytes(quantity: string): number {
  return (Number.parseInt(quantity, 10) * 2 ** 20) / 1e6
}
