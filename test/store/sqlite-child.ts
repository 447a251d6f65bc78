/** A process that adds and sends over a SQLite store until it is killed; prints what was accepted and what was sent. */
import { readFileSync, writeSync } from 'node:fs'
import { codeOf } from '../../src/core/error-code.ts'
import { Keyring, parseKeyFile } from '../../src/core/keyring.ts'
import { openSqliteStore } from '../../src/store/sqlite/open.ts'
import { createDelivery } from '../helpers/delivery.ts'

const [, , path = '', keyFile = ''] = process.argv
const aMoment = new Int32Array(new SharedArrayBuffer(4))
const keyring = parseKeyFile(readFileSync(keyFile, 'utf8'))
if (!(keyring instanceof Keyring)) throw new Error(keyring.join('; '))

/** Synchronous: in the pipe before anything else happens. A pipe that nobody has read yet may be full. */
function print(word: string, text: string): void {
  for (let rest = Buffer.from(`${word} ${text}\n`); rest.length > 0;) {
    try {
      rest = rest.subarray(writeSync(1, rest))
    } catch (error) {
      if (codeOf(error) !== 'EAGAIN') throw error
      Atomics.wait(aMoment, 0, 0, 1)
    }
  }
}

try {
  const { queue } = await openSqliteStore({ path, keyring, nowMs: Date.now, onError: () => {} })
  queue.consume('com.example.app', 20, async ({ delivery, attempt }) => {
    print('sent', delivery.id)
    // Half of them are in flight or delayed when the kill comes.
    return attempt === 1 && Math.random() < 0.5 ? { kind: 'requeue', atMs: Date.now() + 50 } : { kind: 'acknowledge' }
  })
  // What is refused, because the disk is busy, was not accepted.
  const addForEver = async (): Promise<never> => {
    for (;;) {
      const delivery = createDelivery()
      await queue.add([delivery]).then(
        () => print('accepted', delivery.id),
        () => {},
      )
    }
  }
  await Promise.all(Array.from({ length: 10 }, addForEver))
} catch (error) {
  print('refused', error instanceof Error ? `${error.name}: ${error.message}` : 'unknown')
}
