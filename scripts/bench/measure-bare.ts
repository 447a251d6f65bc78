/** What the parts of a gateway can do by themselves (bare-process.ts), in the same rounds as the gateways. */
import { startHelper } from './calls.ts'
import type { BareRate, operations } from './bare-process.ts'
import { cpuMsOf } from './processes.ts'
import { startRedisServer } from './redis-server.ts'
import type { Rig } from './rig.ts'
import { runWrk } from './wrk.ts'

export interface BareFigures {
  /** Requests that a route of Fastify reads and answers. */
  readonly route: BareRate
  /** Jobs of 1 KiB, added one by one and done by a worker of the same process; without the CPU of Redis. */
  readonly bullmq: BareRate
  /** Pushes over one connection to APNs. */
  readonly http2: BareRate
}

export interface BareRun {
  readonly rig: Rig
  readonly seconds: number
  readonly devicesFile: string
  readonly scriptFile: string
  readonly id: string
}

export async function measureBare(run: BareRun): Promise<BareFigures> {
  return { route: await measureRoute(run), bullmq: await measureBullmq(run), http2: await measureHttp2(run) }
}

async function measureRoute({ seconds, devicesFile, scriptFile, id }: BareRun): Promise<BareRate> {
  const bare = startHelper<typeof operations>('bare-process.ts')
  const url = await bare.ask('route', undefined)
  const load = { urls: [url] as const, devicesFile, scriptFile, connections: 400, devicesPerRequest: 1, run: id }
  await runWrk({ ...load, seconds: 1 })
  const startCpuMs = cpuMsOf([bare.pid])
  const { accepted, seconds: took } = await runWrk({ ...load, seconds })
  const cpuMsEach = (cpuMsOf([bare.pid]) - startCpuMs) / accepted
  bare.stop()
  return { perSecond: accepted / took, cpuMsEach }
}

async function measureBullmq({ seconds }: BareRun): Promise<BareRate> {
  const redis = await startRedisServer()
  const bare = startHelper<typeof operations>('bare-process.ts')
  const rate = await bare.ask('bullmq', { port: redis.port, seconds })
  bare.stop()
  await redis.stop()
  return rate
}

async function measureHttp2({ rig, seconds }: BareRun): Promise<BareRate> {
  await rig.simulator.ask('reset', { delayMs: 50, isRecording: false })
  const bare = startHelper<typeof operations>('bare-process.ts')
  const rate = await bare.ask('http2', { port: rig.ports.apns, caFile: rig.at('ca.pem'), seconds })
  bare.stop()
  return rate
}
