/** Simulated APNs and FCM whose faults can be set, and the apps' configuration with good and with bad credentials. */
import { generateKeyPairSync, type KeyObject, type KeyPairKeyObjectResult } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startApnsSimulator } from '../../src/simulators/apns.ts'
import { createAuthority } from '../../src/simulators/certificate.ts'
import { startFcmSimulator } from '../../src/simulators/fcm.ts'
import type { Arrival } from './accounting.ts'
import { ANDROID, IOS } from './notices.ts'
import type { Fault, Timing } from './schedule.ts'

export interface PushServices extends AsyncDisposable {
  readonly arrivals: readonly Arrival[]
  appsYaml(timing: Timing, credentials: 'good' | 'bad'): string
  begin(fault: Extract<Fault, { kind: 'apns' | 'fcm' }>): void
  end(fault: Extract<Fault, { kind: 'apns' | 'fcm' }>): void
}

const TOPIC = 'com.example.app'
const KEY = { keyId: 'SIMULATED1', teamId: 'SIMULATED2' } as const
const TIMING_YAML: Readonly<Record<Timing, string>> = {
  immediate: '',
  coalesce: ', coalesce: 2s',
  release_every: ', release_every: 2s',
}

export async function startPushServices(folder: string): Promise<PushServices> {
  const arrivals: Arrival[] = []
  const authority = createAuthority()
  const { privateKey, publicKey } = newKey()
  const apns = await startApnsSimulator({
    authority,
    keys: [{ ...KEY, publicKey, topics: [TOPIC] }],
    onPush: ({ token, headers, status }) =>
      arrivals.push({
        token: Buffer.from(token, 'hex').toString(),
        id: headers['apns-id'],
        collapseId: headers['apns-collapse-id'],
        status,
        atMs: Date.now(),
      }),
  })
  const fcm = await startFcmSimulator({
    authority,
    onPush: ({ token, status }) =>
      arrivals.push({ token, id: undefined, collapseId: undefined, status, atMs: Date.now() }),
  })
  const files = {
    'ca.pem': authority.certificate,
    'good.p8': pem(privateKey),
    'bad.p8': pem(newKey().privateKey),
    'service-account.json': JSON.stringify(fcm.createServiceAccount('simulated-project')),
  }
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text, { mode: 0o600 })
  const at = (name: string): string => JSON.stringify(join(folder, name))

  return {
    arrivals,
    appsYaml: (timing, credentials) => {
      const common = `ca_file: ${at('ca.pem')}${TIMING_YAML[timing]}`
      const key = `key_file: ${at(`${credentials}.p8`)}, key_id: ${KEY.keyId}, team_id: ${KEY.teamId}, topic: ${TOPIC}`
      return `apps:
  ${IOS}: { type: apns, endpoint: "${apns.url}", ${key}, ${common} }
  ${ANDROID}: { type: fcm, endpoint: "${fcm.url}", service_account_file: ${at('service-account.json')}, ${common} }
`
    },
    begin(fault) {
      if (fault.kind === 'fcm') return fcm.setFault(fault.name)
      if (fault.name === 'goaway') return apns.goaway(2)
      if (fault.name === 'reset') return apns.reset()
      if (fault.name === 'freeze') return apns.freeze()
      return apns.setFault(fault.name)
    },
    end({ kind }) {
      if (kind === 'fcm') fcm.setFault(undefined)
      else apns.setFault(undefined)
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([apns.close(), fcm.close()])
    },
  }
}

function newKey(): KeyPairKeyObjectResult {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' })
}

function pem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString()
}
