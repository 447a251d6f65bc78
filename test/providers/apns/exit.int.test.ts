import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { createRig } from './rig.ts'

describe('a process that has closed its APNs sender', () => {
  it('ends by itself', async () => {
    await using rig = createRig()
    const simulator = await rig.simulate()
    const program = `
      import { apns } from './src/providers/apns/index.ts'
      import { createDial } from './src/network/dial.ts'
      import { Secret } from './src/core/secret.ts'
      const options = ${JSON.stringify({ ...rig.options, endpoint: simulator.url })}
      const sender = await apns.open(options, { app: 'test', nowMs: Date.now, dial: createDial(undefined), concurrency: 100, warn() {} })
      const headers = { 'apns-topic': options.topic }
      const outcome = await sender.send({ headers, body: '{"aps":{}}' }, new Secret('ZGV2aWNl'), AbortSignal.timeout(5000))
      await sender.close()
      process.stdout.write(outcome.kind)`
    const child = spawn(process.execPath, ['--input-type=module-typescript', '--eval', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const output = child.stdout.setEncoding('utf8').toArray()
    const [code] = await once(child, 'exit', { signal: AbortSignal.timeout(20_000) })
    expect([code, (await output).join('')]).toEqual([0, 'delivered'])
  })
})
