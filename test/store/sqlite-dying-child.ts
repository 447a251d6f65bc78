/** A process that stores a delivery, says so, and is killed before anything else happens: it has a consumer, which is handed nothing any more. */
import { readFileSync, writeSync } from 'node:fs'
import { Keyring, parseKeyFile } from '../../src/core/keyring.ts'
import { openSqliteStore } from '../../src/store/sqlite/open.ts'
import { createDelivery } from '../helpers/delivery.ts'

const [, , path = '', keyFile = ''] = process.argv
const keyring = parseKeyFile(readFileSync(keyFile, 'utf8'))
if (!(keyring instanceof Keyring)) throw new Error(keyring.join('; '))

const { queue } = await openSqliteStore({ path, keyring, nowMs: Date.now, onError: () => {} })
const first = createDelivery()
const isFirstRemoved = Promise.withResolvers<void>()
queue.consume('com.example.app', 10, async ({ delivery }) => {
  if (delivery.id === first.id) isFirstRemoved.resolve()
  else writeSync(1, `sent ${delivery.id}\n`)
  return { kind: 'acknowledge' }
})
await queue.add([first])
await isFirstRemoved.promise
while ((await queue.depth('com.example.app')).active > 0);

const delivery = createDelivery()
await queue.add([delivery])
// The answer is here, and what is stored is handed over after all answers of its turn.
writeSync(1, `accepted ${delivery.id}\n`)
process.kill(process.pid, 'SIGKILL')
