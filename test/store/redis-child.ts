/** A process that is handed deliveries by a store on Redis and never ends with them; prints the id of each. As a worker whose push service hangs. */
import { readFileSync, writeSync } from 'node:fs'
import { Keyring, parseKeyFile } from '../../src/core/keyring.ts'
import { openRedisStore } from '../../src/store/redis/open.ts'

const [, , port = '', keyFile = '', timings] = process.argv
const keyring = parseKeyFile(readFileSync(keyFile, 'utf8'))
if (!(keyring instanceof Keyring)) throw new Error(keyring.join('; '))

const { queue } = await openRedisStore({
  topology: { kind: 'single', node: { host: '127.0.0.1', port: Number(port) }, database: 0 },
  keyring,
  nowMs: Date.now,
  onError: (message) => void writeSync(2, message),
  timings: timings === undefined ? undefined : JSON.parse(timings),
})
queue.consume('com.example.app', 200, ({ delivery }) => {
  writeSync(1, `${delivery.id}\n`)
  return new Promise(() => {})
})
