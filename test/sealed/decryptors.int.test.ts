/** What the gateway seals, in the hands of the examples for app makers (config/examples): TypeScript in Chromium, Java on a JVM, Python. Swift cannot run here. */
import { execFileSync } from 'node:child_process'
import { createPrivateKey } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { once } from 'node:events'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDeviceKeys, openSealed } from '../../config/examples/typescript/hushgate-sealed.ts'
import { installPython } from '../../scripts/install-python.ts'
import { apns } from '../../src/providers/apns/index.ts'
import { deviceKeyOf } from '../../src/core/device-key.ts'
import { encryptForDevice } from '../../src/intake/encrypt-for-device.ts'
import {
  createSubscriptionSecrets,
  decrypt,
  type SubscriptionSecrets,
} from '../../src/simulators/webpush-encryption.ts'
import { startChromium } from '../helpers/chromium.ts'
import { typescriptExample } from '../helpers/typescript-example.ts'
import { event, policy, recordOf, sealed, secrets } from './random-pushes.ts'

const EXAMPLES = join(import.meta.dirname, '../../config/examples')
const NOTIFICATIONS = 1000
const TIMEOUT_MS = 240_000
/** RFC 8291 §5. */
const OF_RFC = {
  record:
    'DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN',
  keys: {
    p256dh: 'BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4',
    auth: 'BTBZMqHH6r4Tts7J_aSIgg',
    privateKey: 'q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94',
  },
  plaintext: 'When I grow up, I want to be a watermelon',
} as const

let records: readonly string[]
/** What each says, by our own decryptor. */
let said: readonly unknown[]

beforeAll(async () => {
  const render = apns.renderer({})
  const random = fc.sample(fc.tuple(event, policy), NOTIFICATIONS)
  records = random.map(([about, chosen]) => recordOf(sealed(about, chosen, encryptForDevice, render)))
  said = records.map((record) => JSON.parse(decrypt(Buffer.from(record, 'base64url'), secrets)?.toString() ?? ''))
}, TIMEOUT_MS)

describe('what is sealed for 1,000 random notifications opens', () => {
  it('with hushgate-sealed.ts in Chromium', { timeout: TIMEOUT_MS, retry: 1 }, async () => {
    const script = await typescriptExample()
    const server = createServer((request, response) => {
      const isScript = request.url === '/hushgate-sealed.js'
      response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html')
      response.end(isScript ? script : '<!doctype html><title>Sealed</title><link rel="icon" href="data:">')
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const address = server.address()
    const port = typeof address === 'object' ? address?.port : undefined
    await using chromium = await startChromium()
    const page = await chromium.open(`http://127.0.0.1:${port}/`, { width: 360, height: 640 })
    const opened = await page.evaluate(`(async () => {
      const { openSealed } = await import('/hushgate-sealed.js')
      return Promise.all(${JSON.stringify(records)}.map((record) => openSealed(record, ${JSON.stringify(secrets)})))
    })()`)
    server.close()
    server.closeAllConnections()
    expect(opened).toEqual(said)
    expect(page.problems).toEqual([])
  })

  it('with hushgate-sealed.ts, when it is for a key pair that was made by it', async () => {
    const keys = await createDeviceKeys()
    const push = { v: 1, prio: 'high', ts: 1_790_000_000_000 }
    const { privateKey: _, ...shared } = keys
    expect(deviceKeyOf({ hushgate_key: { v: 1, ...shared } })).toEqual(shared)
    const block = encryptForDevice(keys, Buffer.from(JSON.stringify(push).padEnd(1024)))
    expect(await openSealed(block?.record ?? '', keys)).toEqual(push)
  })

  it('with open_sealed.py', { timeout: TIMEOUT_MS }, () => {
    const python = installPython()
    const program = join(EXAMPLES, 'python/open_sealed.py')
    const output = execFileSync(python, ['-B', program, secrets.privateKey, secrets.auth], {
      input: records.join('\n'),
      encoding: 'utf8',
      maxBuffer: 2 ** 26,
    })
    expect(linesOf(output).map((line) => JSON.parse(line))).toEqual(said)
  })

  describe('with HushgateSealed.java', () => {
    let folder: string
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'hushgate-java-'))
      const sources = [join(EXAMPLES, 'android/HushgateSealed.java'), join(import.meta.dirname, 'OpenAll.java')]
      execFileSync('javac', [
        '-Xlint:all',
        '-Werror',
        '-encoding',
        'UTF-8',
        '--release',
        '11',
        '-d',
        folder,
        ...sources,
      ])
    }, TIMEOUT_MS)
    afterAll(() => rm(folder, { recursive: true, force: true }))

    /** The public key of a new pair, then each plaintext; `null` for what is refused. */
    function openAll(some: readonly string[], keys: SubscriptionSecrets): readonly string[] {
      const output = execFileSync('java', ['-cp', folder, 'OpenAll', pkcs8(keys), keys.p256dh, keys.auth], {
        input: some.join('\n'),
        encoding: 'utf8',
        maxBuffer: 2 ** 26,
      })
      return linesOf(output)
    }

    it('on a JVM', { timeout: TIMEOUT_MS }, () => {
      const [, ...opened] = openAll(records, secrets)
      expect(opened.map((line) => JSON.parse(line))).toEqual(said)
    })

    it(
      "and so does RFC 8291's own example, but nothing that is cut, changed, or for somebody else",
      { timeout: TIMEOUT_MS },
      () => {
        const { record, keys, plaintext } = OF_RFC
        const broken = [
          record.slice(0, -1),
          record.slice(0, 40),
          `${record.slice(0, 150)}AAAA${record.slice(154)}`,
          '',
          '?',
        ]
        const [, first, ...others] = openAll([record, ...broken, records[0] ?? ''], keys)
        expect(first).toBe(plaintext)
        expect(others).toEqual([...broken, ''].map(() => 'null'))
      },
    )

    it('and a key pair made by it can be sealed to', { timeout: TIMEOUT_MS }, async () => {
      const [p256dh = ''] = openAll([], secrets)
      expect(
        encryptForDevice({ kid: 'x', p256dh, auth: createSubscriptionSecrets().auth }, Buffer.alloc(1024)),
      ).toBeDefined()
    })
  })
})

function linesOf(output: string): readonly string[] {
  return output.split('\n').slice(0, -1)
}

/** As Java stores a private key. */
function pkcs8({ p256dh, privateKey }: SubscriptionSecrets): string {
  const point = Buffer.from(p256dh, 'base64url')
  const jwk = {
    kty: 'EC',
    crv: 'P-256',
    x: point.toString('base64url', 1, 33),
    y: point.toString('base64url', 33),
    d: privateKey,
  }
  return createPrivateKey({ key: jwk, format: 'jwk' }).export({ type: 'pkcs8', format: 'der' }).toString('base64url')
}
