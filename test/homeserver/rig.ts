/** All who take part: a real Synapse, the gateway as its own process, simulated push services, and a record of what the first two said. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'yaml'
import { freePort } from '../helpers/free-port.ts'
import { startHushgate, type HushgateProcess } from '../helpers/hushgate-process.ts'
import { startPushServices, type PushServices } from '../helpers/push-services.ts'
import { startSynapse, type Synapse } from './synapse.ts'
import { startRecorder, type Recorder } from './recorder.ts'

const LOG_TAIL_LENGTH = 8000

export interface Rig {
  readonly synapse: Synapse
  readonly services: PushServices
  readonly recorder: Recorder
  startGateway(): Promise<void>
  /** Resolves when the gateway's process has ended. */
  endGateway(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>
  /** The log of the gateway's process of now, at level trace. */
  gatewayLog(): string
  /** Everything that the gateway has written: the logs of all its processes, and the files of its store. */
  writtenByGateway(): Promise<string>
  /** The ends of all logs, for whoever looks for the cause of a failure. */
  logs(): string
  close(): Promise<void>
}

export async function startRig(): Promise<Rig> {
  const folder = await mkdtemp(join(tmpdir(), 'hushgate-homeserver-'))
  const [synapse, services, port] = await Promise.all([startSynapse(), startPushServices(), freePort()])
  const gatewayUrl = `http://127.0.0.1:${port}`
  const recorder = await startRecorder(gatewayUrl)
  // JSON is YAML.
  await writeFile(join(folder, 'hushgate.yaml'), JSON.stringify(configuration(port, services.appsYaml)))
  const gateways: HushgateProcess[] = []
  const gatewayLogs = (): string => gateways.map((gateway) => gateway.log()).join('')

  return {
    synapse,
    services,
    recorder,
    async startGateway() {
      const gateway = startHushgate(['serve'], { folder })
      gateways.push(gateway)
      await gateway.running()
    },
    async endGateway(signal) {
      await gateways.at(-1)?.end(signal)
    },
    gatewayLog: () => gateways.at(-1)?.log() ?? '',
    async writtenByGateway() {
      const data = join(folder, 'data')
      const files = await Promise.all((await readdir(data)).map((name) => readFile(join(data, name), 'latin1')))
      return [gatewayLogs(), ...files].join('\n')
    },
    logs() {
      return `Gateway:\n${gatewayLogs().slice(-LOG_TAIL_LENGTH)}\nSynapse:\n${synapse.log().slice(-LOG_TAIL_LENGTH)}\n`
    },
    async close() {
      await gateways.at(-1)?.end('SIGKILL')
      await Promise.all([recorder.close(), services[Symbol.asyncDispose](), synapse.close()])
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** An iOS and an Android app that push services are told nothing of, and an iOS app that they are told the event IDs of. */
function configuration(port: number, appsYaml: string): object {
  const { apps } = parse(appsYaml)
  const ios = { ...apps['com.example.ios'], push_type: 'alert' }
  return {
    http: { host: '127.0.0.1', port },
    admin: { port: 0 },
    log: { level: 'trace' },
    apps: {
      'com.example.ios': { ...ios, privacy: 'event_id_only' },
      'com.example.ios.hush': ios,
      'com.example.android': apps['com.example.android'],
    },
  }
}
