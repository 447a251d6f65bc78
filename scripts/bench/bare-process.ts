/**
 * What the parts of a gateway can do by themselves, each with nothing around it: a route that parses what homeservers post, a queue that BullMQ keeps in
 * Redis, an HTTP/2 client that talks to APNs. Hushgate cannot be faster than the slowest of them. A process of its own.
 */
import { readFileSync } from 'node:fs'
import { connect, type ClientHttp2Session } from 'node:http2'
import { Queue, Worker } from 'bullmq'
import fastify from 'fastify'
import { parseNotification } from '../../src/core/notification.ts'
import { answerQuestions } from './calls.ts'

export interface BareRate {
  readonly perSecond: number
  readonly cpuMsEach: number
}

/** Adds under way, as from so many connections of homeservers. */
const ADDS = 400
const CONCURRENCY = 200
/** What a delivery is sealed to. */
const JOB_CHARACTERS = 1024
const STREAMS = 1000

/** `done`: since it began. */
function rateOf(done: number, startMs: number, startCpu: NodeJS.CpuUsage): BareRate {
  const { user, system } = process.cpuUsage(startCpu)
  return { perSecond: (done / (performance.now() - startMs)) * 1000, cpuMsEach: (user + system) / 1000 / done }
}

export const operations = {
  /** Resolves with where it listens. */
  async route(): Promise<string> {
    const server = fastify({ bodyLimit: 512 * 1024 })
    server.removeAllContentTypeParsers()
    server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
    server.post<{ Body: Buffer }>('/', ({ body }, reply) => {
      const isBad = 'errcode' in parseNotification(body)
      return reply.code(isBad ? 400 : 200).send({ rejected: [] })
    })
    return `${await server.listen({ host: '127.0.0.1', port: 0 })}/`
  },

  /** Jobs from the first until all are done. */
  async bullmq({ port, seconds }: { readonly port: number; readonly seconds: number }): Promise<BareRate> {
    const connection = { host: '127.0.0.1', port }
    const queue = new Queue('bench', { connection })
    const jobs = { added: 0, completed: 0 }
    const worker = new Worker('bench', () => Promise.resolve((jobs.completed += 1)), {
      connection,
      concurrency: CONCURRENCY,
    })
    await Promise.all([queue.waitUntilReady(), worker.waitUntilReady()])
    const data = 'x'.repeat(JOB_CHARACTERS)
    const startMs = performance.now()
    const startCpu = process.cpuUsage()
    const addAll = async (): Promise<void> => {
      while (performance.now() < startMs + seconds * 1000) {
        await queue.add('push', data, { removeOnComplete: true })
        jobs.added += 1
      }
    }
    await Promise.all(Array.from({ length: ADDS }, addAll))
    while (jobs.completed < jobs.added) await new Promise((resolve) => worker.once('completed', resolve))
    const rate = rateOf(jobs.completed, startMs, startCpu)
    await Promise.all([worker.close(), queue.close()])
    return rate
  },

  /** Pushes to APNs, as many at once as it takes. */
  async http2({
    port,
    caFile,
    seconds,
  }: {
    readonly port: number
    readonly caFile: string
    readonly seconds: number
  }): Promise<BareRate> {
    const session = connect(`https://127.0.0.1:${port}`, { ca: readFileSync(caFile) })
    await new Promise((resolve) => session.once('remoteSettings', resolve))
    const startMs = performance.now()
    const startCpu = process.cpuUsage()
    let sent = 0
    const sendAll = async (): Promise<void> => {
      while (performance.now() < startMs + seconds * 1000) {
        await push(session, (sent += 1))
      }
    }
    await Promise.all(Array.from({ length: STREAMS }, sendAll))
    const rate = rateOf(sent, startMs, startCpu)
    session.destroy()
    return rate
  },
}

function push(session: ClientHttp2Session, number: number): Promise<void> {
  const digits = String(number).padStart(12, '0')
  const stream = session.request({
    ':method': 'POST',
    ':path': `/3/device/${digits.padStart(64, 'a')}`,
    authorization: `bearer ${'x'.repeat(200)}`,
    'apns-topic': 'com.example.app',
    'apns-id': `eabeae54-14a8-11e5-b60b-${digits}`,
    'apns-priority': '10',
  })
  return new Promise((resolve, reject) => {
    stream.on('error', reject)
    stream.on('close', resolve)
    stream.resume()
    stream.end(`{"aps":{"mutable-content":1},"event_id":"$${digits}","room_id":"!room:example.org","unread_count":2}`)
  })
}

answerQuestions(operations)
