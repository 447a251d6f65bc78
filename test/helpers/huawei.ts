/** A simulated Push Kit of Huawei's, and the section of an app that reaches it. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Authority } from '../../src/simulators/certificate.ts'
import { startHmsSimulator, type HmsSimulator, type HmsSimulatorOptions } from '../../src/simulators/hms.ts'

export interface Huawei {
  readonly simulator: HmsSimulator
  readonly section: object
}

const CLIENT = { projectId: '101', clientId: '202', clientSecret: 'the-client-secret' } as const

/** `folder`: where the client secret is put. `caFile`: the certificate of `authority`. */
export async function startHuawei(
  folder: string,
  authority: Authority,
  caFile: string,
  options: Pick<HmsSimulatorOptions, 'onPush' | 'nowMs'> = {},
): Promise<Huawei> {
  const simulator = await startHmsSimulator({ authority, ...CLIENT, ...options })
  const secretFile = join(folder, 'hms-secret')
  await writeFile(secretFile, CLIENT.clientSecret)
  const section = {
    type: 'hms',
    project_id: CLIENT.projectId,
    client_id: CLIENT.clientId,
    client_secret_file: secretFile,
    badge_pushes: 'send',
    endpoint: simulator.url,
    oauth_endpoint: simulator.url,
    ca_file: caFile,
  }
  return { simulator, section }
}
