/** Push Kit as its documents have it (docs/facts/hms.md): each row of the table of answers, the access token, and what a message to it is. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Outcome } from '../../../src/core/outcome.ts'
import type { Sender } from '../../../src/core/provider.ts'
import { Secret } from '../../../src/core/secret.ts'
import { createDial } from '../../../src/network/dial.ts'
import { outcomeOf } from '../../../src/providers/hms/answers.ts'
import { hms } from '../../../src/providers/hms/index.ts'
import type { HmsOptions } from '../../../src/providers/hms/options.ts'
import { createAuthority } from '../../../src/simulators/certificate.ts'
import { startHmsSimulator, type HmsSimulator } from '../../../src/simulators/hms.ts'

const never = new AbortController().signal
const message = { headers: {}, body: JSON.stringify({ android: { urgency: 'NORMAL' }, data: '{"sync":"1"}' }) }
let folder: string
let simulator: HmsSimulator
let sender: Sender
let nowMs = Date.now()

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hushgate-hms-'))
  const authority = createAuthority()
  await writeFile(join(folder, 'ca.pem'), authority.certificate)
  await writeFile(join(folder, 'secret'), 'the-client-secret\n')
  await writeFile(join(folder, 'other-secret'), 'another-client-secret\n')
  const client = { projectId: '101', clientId: '202', clientSecret: 'the-client-secret' }
  simulator = await startHmsSimulator({ authority, ...client, nowMs: () => nowMs })
  sender = await open()
})
afterAll(async () => {
  await sender.close()
  await simulator.close()
  await rm(folder, { recursive: true })
})

function open(options: Partial<HmsOptions> = {}): Promise<Sender> {
  const address = { endpoint: simulator.url, oauth_endpoint: simulator.url }
  const files = { client_secret_file: join(folder, 'secret'), ca_file: join(folder, 'ca.pem') }
  const context = { app: 'a', nowMs: () => nowMs, dial: createDial(undefined), concurrency: 10, warn: () => {} }
  return hms.open({ project_id: '101', client_id: '202', ...files, ...address, ...options }, context)
}

/** docs/facts/hms.md#codes: what is failed. */
const ABOUT_THE_MESSAGE = [
  '80100001',
  '80100003',
  '80100004',
  '80100013',
  '80100016',
  '80100017',
  '80100018',
  '80300008',
  '80300010',
  '80300013',
]

function send(token: string, by = sender, sent = message): Promise<Outcome> {
  return by.send(sent, new Secret(token), never)
}

describe('what Push Kit answers', () => {
  it('is taken for delivered only by its code', async () => {
    expect(await send('device')).toEqual({ kind: 'delivered' })
    expect(simulator.received.at(-1)).toMatchObject({ token: 'device', message: { data: '{"sync":"1"}' } })
  })

  it.each<[string, object]>([
    ['r80300007', { kind: 'rejected', reason: '400 80300007' }],
    ['r80100000', { kind: 'rejected', reason: '400 80100000' }],
    ...ABOUT_THE_MESSAGE.map((code): [string, object] => [`r${code}`, { kind: 'failed', reason: `400 ${code}` }]),
    ['r80399999', { kind: 'failed', reason: '400' }],
    ['s400', { kind: 'failed', reason: '400' }],
    ['r80300002', { kind: 'retry', scope: 'delivery', ambiguous: false, floorMs: 600_000 }],
    ['r80300011', { kind: 'blocked', reason: '400 80300011' }],
    ['r80200001', { kind: 'blocked', reason: '401 80200001' }],
    ['r80200003', { kind: 'blocked', reason: '401 80200003' }],
    ['s401', { kind: 'blocked', reason: '401' }],
    ['s404', { kind: 'blocked', reason: '404' }],
    ['r80600003', { kind: 'retry', scope: 'app', ambiguous: false, floorMs: 10_000 }],
    ['r81000001', { kind: 'retry', scope: 'delivery', ambiguous: true, floorMs: 10_000 }],
    ['s500', { kind: 'retry', scope: 'delivery', ambiguous: true, floorMs: 10_000 }],
    ['s502', { kind: 'retry', scope: 'app', ambiguous: true, floorMs: 10_000 }],
    ['s503', { kind: 'retry', scope: 'app', ambiguous: false, floorMs: 60_000 }],
    ['s429', { kind: 'retry', scope: 'app', ambiguous: false, floorMs: 60_000 }],
    ['s503.a7', { kind: 'retry', scope: 'app', ambiguous: false, afterMs: 7000 }],
    ['s200', { kind: 'retry', scope: 'app', ambiguous: false, floorMs: 60_000 }],
    ['rst', { kind: 'retry', scope: 'delivery', ambiguous: true }],
  ])('%s becomes an outcome', async (script, outcome) => {
    expect(await send(`x${script}-device`)).toMatchObject(outcome)
  })

  it('counts a partial success as one where our token is among those that it went to', () => {
    const body = JSON.stringify({ code: '80100000', msg: '{"success":1,"failure":0,"illegal_tokens":[]}' })
    expect(outcomeOf({ kind: 'answer', status: 200, body }, 0)).toEqual({ kind: 'delivered' })
  })

  it('is never repeated in what is logged', () => {
    const body = JSON.stringify({ code: '80100003', msg: 'Illegal payload, @alice:example.org' })
    expect(JSON.stringify(outcomeOf({ kind: 'answer', status: 400, body }, 0))).not.toContain('alice')
  })

  it('is not asked for what cannot be a token, or was left by an app of another type', async () => {
    const before = simulator.received.length
    expect(await send('two words')).toMatchObject({ kind: 'rejected', isLocal: true })
    expect(await send('device', sender, { headers: {}, body: 'text' })).toMatchObject({ kind: 'failed' })
    expect(simulator.received).toHaveLength(before)
  })
})

describe('the access token', () => {
  it('is asked for once, and again when it was refused or has run out', async () => {
    const before = simulator.tokenRequests
    await Promise.all([send('a'), send('b'), send('c')])
    expect(simulator.tokenRequests).toBe(before)
    simulator.revokeTokens()
    expect(await send('d')).toEqual({ kind: 'delivered' })
    nowMs += 3600_000
    expect(await send('e')).toEqual({ kind: 'delivered' })
    expect(simulator.tokenRequests).toBe(before + 2)
  })

  it('is refused to a wrong secret, which blocks the app', async () => {
    const other = await open({ client_secret_file: join(folder, 'other-secret') })
    expect(await send('device', other)).toEqual({ kind: 'blocked', reason: 'oauth 400' })
    expect(await other.check(never)).toEqual({ ok: false, reason: 'oauth 400' })
    await other.close()
  })
})

it('check asks with a message that is only checked', async () => {
  expect(await sender.check(never)).toEqual({ ok: true })
  expect(simulator.received.at(-1)).toMatchObject({ token: 'credential-check', validateOnly: true })
  const lost = await open({ project_id: '999' })
  expect(await lost.check(never)).toEqual({ ok: false, reason: '404' })
  await lost.close()
})

it('inspect reports what is wrong with the files, and never quotes the secret', async () => {
  await writeFile(join(folder, 'bad-secret'), 'two words\n')
  const options = { project_id: '1', client_id: '2', urgency: 'high', notification: { title: 't', body: 'b' } } as const
  const found = await hms.inspect({ ...options, client_secret_file: join(folder, 'bad-secret'), ca_file: '/nowhere' })
  expect(found.map(({ option }) => option)).toEqual(['client_secret_file', 'ca_file', 'urgency'])
  expect(JSON.stringify(found)).not.toContain('two words')
})
