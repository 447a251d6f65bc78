/** Spans on their way to a collector that takes them, is away, hangs, or refuses them. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Secret } from '../../src/core/secret.ts'
import { createAuthority } from '../../src/simulators/certificate.ts'
import { Exporter, type ExporterParts } from '../../src/tracing/exporter.ts'
import type { Span } from '../../src/tracing/span.ts'
import { startOtlpCollector, type OtlpCollector } from '../helpers/otlp-collector.ts'
import { until } from '../helpers/received.ts'
import { RecordedLog } from '../helpers/recorded-log.ts'

const SPAN: Span = {
  name: 'send',
  kind: 'client',
  traceId: 'a'.repeat(32),
  spanId: 'b'.repeat(16),
  startMs: 1_800_000_000_000.25,
  endMs: 1_800_000_000_001.5,
  app: 'com.example.ios',
  provider: 'apns',
  outcome: 'retry',
  reason: '503',
  status: 503,
  attempt: 2,
  isError: true,
}

let collector: OtlpCollector
let log: RecordedLog
let counted: { exported: number; dropped: number }
let exporter: Exporter
beforeEach(async () => {
  collector = await startOtlpCollector()
  log = new RecordedLog()
  counted = { exported: 0, dropped: 0 }
  exporter = open({})
})
afterEach(async () => {
  await exporter.close()
  await collector[Symbol.asyncDispose]()
})

function open(limits: ExporterParts['limits'], url = `${collector.url}/v1/traces`): Exporter {
  return new Exporter(
    { url, headers: new Map([['x-key', new Secret('a secret')]]) },
    {
      version: '1.2.3',
      log,
      count: (result, spans) => (counted[result] += spans),
      limits: { delayMs: 10, queue: 20, batch: 5, timeoutMs: 60_000, lastMs: 100, ...limits },
    },
  )
}

function add(count: number): void {
  for (let each = 0; each < count; each += 1) exporter.add(SPAN)
}

it('a collector gets a span with its times, its attributes and the headers that it asks for', async () => {
  add(1)
  expect(await collector.waitFor(1)).toEqual([
    {
      name: 'send',
      kind: 3,
      traceId: SPAN.traceId,
      spanId: SPAN.spanId,
      startMs: SPAN.startMs,
      endMs: SPAN.endMs,
      isError: true,
      attributes: {
        'hushgate.app': 'com.example.ios',
        'hushgate.provider': 'apns',
        'hushgate.outcome': 'retry',
        'error.type': '503',
        'http.response.status_code': 503,
        'hushgate.attempt': 2,
      },
    },
  ])
  const [request] = collector.requests
  expect(request).toMatchObject({ path: '/v1/traces', headers: { 'x-key': 'a secret' } })
  expect(collector.bodies[0]).toContain('"service.version","value":{"stringValue":"1.2.3"}')
})

it('a full batch does not wait for its time', async () => {
  exporter = open({ delayMs: 3600_000 })
  add(6)
  await collector.waitFor(5)
  expect(collector.spans).toHaveLength(5)
})

describe('of a collector that never answers', () => {
  beforeEach(() => collector.answer(undefined))

  it('spans are kept up to the limit, and counted beyond it', async () => {
    add(100)
    await until('it was asked', () => collector.bodies.length === 1)
    expect(counted).toEqual({ exported: 0, dropped: 80 })
  })

  it('that is said once, and the exporter goes on when it answers again', async () => {
    // Long enough for a busy machine to answer in, once it answers.
    exporter = open({ timeoutMs: 300 })
    add(30)
    await until('it was asked three times', () => collector.bodies.length >= 3)
    expect(log.messages('warn')).toEqual([
      'Traces cannot be exported; they are dropped until the collector takes them again',
    ])
    expect(log.entries[0]?.facts).toEqual({ reason: 'timed out' })
    collector.answer(200)
    await collector.waitFor(20)
    await until('all are counted', () => counted.exported === 20)
    expect(counted.dropped).toBe(10)
    expect(log.messages('info')).toEqual(['The collector takes traces again'])
  })

  it('nobody waits for it at the end', async () => {
    exporter = open({ timeoutMs: 3600_000 })
    add(6)
    await until('it was asked', () => collector.bodies.length === 1)
    await exporter.close()
    expect(counted).toEqual({ exported: 0, dropped: 6 })
  })
})

it('what is left goes out at the end', async () => {
  exporter = open({ delayMs: 3600_000 })
  add(3)
  await exporter.close()
  expect(collector.spans).toHaveLength(3)
  expect(counted).toEqual({ exported: 3, dropped: 0 })
})

it('a collector that is not there costs nothing but a line of the log', async () => {
  const { url } = collector
  await collector[Symbol.asyncDispose]()
  exporter = open({}, url)
  add(3)
  await until('it is said', () => log.messages('warn').length === 1)
  expect(log.entries[0]?.facts).toEqual({ reason: 'ECONNREFUSED' })
  await exporter.close()
  expect(counted).toEqual({ exported: 0, dropped: 3 })
  collector = await startOtlpCollector()
})

it.each([400, 401, 302])('what is answered %i is not sent again', async (status) => {
  collector.answer(status)
  add(3)
  await until('they are dropped', () => counted.dropped === 3)
  collector.answer(200)
  add(1)
  await until('the next one is exported', () => counted.exported === 1)
  expect(collector.bodies).toHaveLength(2)
})

it.each([429, 503])('what is answered %i is sent again', async (status) => {
  collector.answer(status)
  add(3)
  await until('it was asked', () => collector.bodies.length === 1)
  collector.answer(200)
  await collector.waitFor(3)
  await until('all are counted', () => counted.exported === 3)
  expect(counted.dropped).toBe(0)
})

describe('a collector with a certificate', () => {
  const authority = createAuthority()
  const openTo = (url: string, authorities?: Secret): Exporter =>
    new Exporter(
      { url, headers: new Map(), authorities },
      { version: '1', log, count: (result, spans) => (counted[result] += spans), limits: { delayMs: 10, lastMs: 100 } },
    )
  let withTls: OtlpCollector
  beforeEach(async () => {
    withTls = await startOtlpCollector({ tls: authority.issue({ commonName: 'collector', hosts: ['127.0.0.1'] }) })
    return () => withTls[Symbol.asyncDispose]()
  })

  it('is reached where its authority is known', async () => {
    exporter = openTo(withTls.url, new Secret(authority.certificate))
    add(1)
    await withTls.waitFor(1)
  })

  it('gets nothing where nobody vouches for it', async () => {
    exporter = openTo(withTls.url)
    add(1)
    await until('it is said', () => log.messages('warn').length === 1)
    expect(log.entries[0]?.facts).toEqual({ reason: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' })
    expect(withTls.bodies).toEqual([])
  })
})
