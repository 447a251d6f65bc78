/** Everything in which somebody might read what the gateway keeps and says: recorded while a gateway runs, and after. */
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { beforeAll } from 'vitest'
import { startGatewayProcess, type GatewayProcess } from '../helpers/gateway-process.ts'
import { startOtlpCollector } from '../helpers/otlp-collector.ts'
import { startRedis, type TestRedis } from '../helpers/redis.ts'
import type { StoreName } from '../helpers/stores.ts'

export type Sink =
  | 'the log and the error output'
  | 'the metrics and the readiness'
  | 'the dead letters of the admin API'
  | 'what the admin API says of the gateway'
  | 'the traces'
  | 'hushgate dead list'
  | 'the store while deliveries wait in it'
  | 'the store in the end'
  | 'what Redis was told'

export function sinksOf(store: StoreName): Sink[] {
  return [
    'the log and the error output',
    'the metrics and the readiness',
    'the dead letters of the admin API',
    'what the admin API says of the gateway',
    'the traces',
    'hushgate dead list',
    'the store while deliveries wait in it',
    'the store in the end',
    ...(store === 'redis' ? (['what Redis was told'] as const) : []),
  ]
}

/** Far longer than it takes: a busy machine is not a broken one. */
const DRIVE_MS = 240_000

/** Runs a gateway and `drive` before the tests; gives what was then in each sink. */
export function observe(
  store: StoreName,
  apps: () => object,
  drive: (gateway: GatewayProcess, isWaiting: () => Promise<void>) => Promise<void>,
  nodeOptions: readonly string[] = [],
): (sink: Sink) => Buffer {
  const sinks = new Map<Sink, Buffer>()
  const add = (sink: Sink, text: string | Buffer) =>
    sinks.set(sink, Buffer.concat([sinks.get(sink) ?? Buffer.alloc(0), Buffer.from(text)]))

  beforeAll(async () => {
    const redis = store === 'redis' ? await startRedis() : undefined
    const monitor = redis === undefined ? undefined : await startMonitor(redis.port)
    const url = redis === undefined ? 'sqlite:./data/hushgate.db' : `redis://127.0.0.1:${redis.port}`
    await using collector = await startOtlpCollector()
    const settings = `tracing: { otlp_url: "${collector.url}" }`
    const gateway = await startGatewayProcess(apps(), { store: { url }, settings, nodeOptions })
    const look = async () => {
      add('the metrics and the readiness', (await gateway.admin('/metrics')) + (await gateway.admin('/readyz')))
      add('the store while deliveries wait in it', await storedIn(gateway, redis))
    }
    try {
      await drive(gateway, look)
      await look()
      add('the dead letters of the admin API', await gateway.admin('/api/v1/dead'))
      // But for unknown-apps, which tells what strangers made up.
      for (const path of ['status', 'failures', 'config', 'rejections'])
        add('what the admin API says of the gateway', await gateway.admin(`/api/v1/${path}`))
      add('hushgate dead list', await gateway.command('dead', 'list'))
      add('the log and the error output', await gateway.stop())
      add('the traces', collector.bodies.join('\n'))
      add('the store in the end', await storedIn(gateway, redis))
      add('hushgate dead list', await gateway.command('dead', 'list'))
      if (monitor !== undefined) add('what Redis was told', monitor.recorded())
    } finally {
      await gateway.close()
      monitor?.stop()
      await redis?.stop()
    }
  }, DRIVE_MS)
  return (sink) => sinks.get(sink) ?? Buffer.alloc(0)
}

/** The files of the store, byte for byte: SQLite's with its log, Redis' append-only files. */
async function storedIn({ folder }: GatewayProcess, redis: TestRedis | undefined): Promise<Buffer> {
  if (redis !== undefined) return redis.appendOnlyFiles()
  const data = join(folder, 'data')
  return Buffer.concat(await Promise.all((await readdir(data)).map((name) => readFile(join(data, name)))))
}

/** Every command that Redis gets from here on, as MONITOR shows it. */
async function startMonitor(port: number): Promise<{ recorded(): Buffer; stop(): void }> {
  const socket = connect(port, '127.0.0.1')
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => chunks.push(chunk))
  socket.write('MONITOR\r\n')
  await once(socket, 'data')
  return { recorded: () => Buffer.concat(chunks), stop: () => void socket.destroy() }
}
