/** A Redis of a run's own that has on disk what it acknowledges, and what it has done. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'

export interface RedisServer {
  readonly port: number
  readonly url: string
  readonly pid: number
  /** Since it started. */
  work(): Promise<RedisWork>
  stop(): Promise<void>
}

export interface RedisWork {
  /** Also those that scripts call. */
  readonly commands: number
  /** In and out. */
  readonly bytes: number
}

export async function startRedisServer(): Promise<RedisServer> {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'hushgate-bench-redis-'))
  const settings = { port, bind: '127.0.0.1', dir: folder, save: '', appendonly: 'yes', appendfsync: 'always' }
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)])
  const child = spawn('redis-server', [...args, '--maxmemory-policy', 'noeviction'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const killNow = (): void => void child.kill('SIGKILL')
  process.once('exit', killNow)
  const ended = new Promise((resolve) => child.once('close', resolve))
  child.once('error', () => console.error('redis-server is not installed: apt-get install redis-server'))
  const client = new Redis({ host: '127.0.0.1', port, retryStrategy: () => 50, maxRetriesPerRequest: null })
  client.on('error', () => {}) // until it listens
  await Promise.race([client.ping(), ended.then(() => Promise.reject(new Error('redis-server ended')))])
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    pid: child.pid ?? 0,
    async work() {
      const info = await client.info('stats')
      const field = (name: string): number => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1])
      const bytes = field('total_net_input_bytes') + field('total_net_output_bytes')
      return { commands: field('total_commands_processed'), bytes }
    },
    async stop() {
      client.disconnect()
      process.off('exit', killNow)
      killNow()
      await ended
      rmSync(folder, { recursive: true, force: true, maxRetries: 20 })
    },
  }
}

function freePort(): Promise<number> {
  const server = createServer()
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}
