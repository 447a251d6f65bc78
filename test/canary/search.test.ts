/** Controls: what is planted is found, in each form and by each hash, so that finding nothing means something. */
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { canaryNotification, valuesIn } from './notification.ts'
import { canary, CANARY_FIELDS, canaryNumber, createFinder, findCanaries, formsOf, tokenOf } from './canary.ts'
import { createSearch } from './needles.ts'
import { UNKEYED_ALGORITHMS, unkeyedHashesOf } from './unkeyed-hashes.ts'

const NOISE = Buffer.from(Array.from({ length: 997 }, (_, index) => (index * 167) % 256))

function planted(what: Uint8Array): Buffer {
  return Buffer.concat([NOISE, what, NOISE])
}

describe('the search for canaries', () => {
  it.each(CANARY_FIELDS.flatMap((field) => formsOf(tokenOf(field)).map(({ name, needle }) => [field, name, needle])))(
    'finds that of %s as %s',
    (field, name, needle) => {
      const findings = findCanaries(planted(Buffer.from(needle, 'latin1')))
      expect(findings).toContainEqual(expect.objectContaining({ field, form: expect.stringContaining(`${name} at`) }))
      expect(new Set(findings.map((finding) => finding.field))).toEqual(new Set([field]))
    },
  )

  it.each([
    ['in a JSON string', JSON.stringify({ text: canary('room_id') })],
    ['in an encoded URL', encodeURIComponent(canary('room_id'))],
    ['in a printed Buffer', JSON.stringify(Buffer.from(canary('room_id')))],
    ['in upper-case hex', Buffer.from(canary('room_id')).toString('hex').toUpperCase()],
    ['in Base64 of the whole', Buffer.from(canary('room_id')).toString('base64')],
    ...[0, 1, 2].flatMap((offset) =>
      (['base64', 'base64url'] as const).map((encoding) => [
        `in ${encoding} after ${offset} other bytes`,
        Buffer.from(`${'-'.repeat(offset)}${canary('room_id')}`).toString(encoding),
      ]),
    ),
  ])('finds one %s', (_, text) => {
    expect(findCanaries(planted(Buffer.from(text))).map(({ field }) => field)).toContain('room_id')
  })

  it.each([
    ['in JSON', Buffer.from('{"unread":7391746285013}')],
    ['as SQLite keeps it', sqliteWith(7_391_746_285_013)],
    ['as a double', Buffer.from(new Float64Array([7_391_746_285_013]).buffer)],
  ])('finds a number %s', (_, bytes) => {
    expect(findCanaries(planted(bytes)).map(({ field }) => field)).toContain('unread')
  })

  it('finds counts that were added up', () => {
    const badge = canaryNumber('unread') + canaryNumber('missed_calls')
    const findings = findCanaries(Buffer.from(`{"badge":${badge}}`))
    expect(findings.map(({ field, learned }) => `${field} ${learned}`)).toEqual([
      'unread sum_as_badge',
      'missed_calls sum_as_badge',
    ])
  })

  it('finds nothing where there is none', () => {
    expect(findCanaries(planted(Buffer.from('com.example.ios')))).toEqual([])
  })

  it('tells the fields apart', () => {
    for (const field of CANARY_FIELDS)
      expect(findCanaries(Buffer.from(canary(field))).map((finding) => finding.field)).toEqual([field])
  })
})

describe('the hashes of what was sent', () => {
  const device = { appId: canary('app_id'), pushkey: Buffer.from(tokenOf('pushkey')).toString('base64') }
  const notification = canaryNotification(device, { event_id: canary('event_id') })
  const find = createFinder(valuesIn(notification))

  it('are found of each field, and of the pushkey also as APNs gets it', () => {
    const sha256 = (text: string) => createHash('sha256').update(text).digest()
    const fieldsOf = (text: string) => find(planted(sha256(text))).map(({ field, learned }) => `${field} ${learned}`)
    for (const name of ['event_id', 'room_id', 'sender', 'room_alias'] as const)
      expect(fieldsOf(canary(name))).toEqual([`${name} unkeyed_hash`])
    const hex = Buffer.from(tokenOf('pushkey')).toString('hex')
    for (const pushkey of [device.pushkey, hex, tokenOf('pushkey')])
      expect(fieldsOf(pushkey)).toEqual(['pushkey unkeyed_hash'])
  })
})

function sqliteWith(number: number): Uint8Array {
  const path = join(mkdtempSync(join(tmpdir(), 'hushgate-needle-')), 'x.db')
  using database = new DatabaseSync(path)
  database.exec('create table t (n integer)')
  database.prepare('insert into t values (?)').run(number)
  const bytes = readFileSync(path)
  rmSync(dirname(path), { recursive: true })
  return bytes
}

describe('the search for hashes that need no key', () => {
  const value = '$event:example.org'
  const search = createSearch(['@alice:example.org', value, '!room:example.org'].flatMap(unkeyedHashesOf))

  it.each(
    UNKEYED_ALGORITHMS.flatMap((algorithm) => {
      const digest = createHash(algorithm).update(value).digest()
      return [
        [`${algorithm} in hex`, digest.toString('hex')],
        [`${algorithm} in hex`, digest.toString('hex').toUpperCase()],
        [`${algorithm} in hex`, digest.toString('hex').slice(0, 16)],
        [`${algorithm} in base64`, digest.toString('base64')],
        [`${algorithm} in base64`, digest.subarray(0, 8).toString('base64')],
        [`${algorithm} in base64url`, digest.toString('base64url')],
        [`${algorithm} as raw bytes`, digest],
        [`${algorithm} as raw bytes`, digest.subarray(0, 8)],
      ] as const
    }),
  )('finds one as %s: %s', (name, what) => {
    expect(search(planted(Buffer.from(what))).map(({ needle }) => needle.name)).toContain(name)
  })

  it('finds one at the very beginning and at the very end', () => {
    const hash = createHash('sha256').update(value).digest('hex')
    expect(search(Buffer.from(hash))).toHaveLength(1)
    expect(search(Buffer.from(`x${hash.slice(0, 16)}`))).toHaveLength(1)
    expect(search(Buffer.from(hash.slice(0, 15)))).toEqual([])
  })

  it('finds nothing where there is none', () => {
    expect(search(planted(createHash('sha256').update('something else').digest()))).toEqual([])
  })
})
