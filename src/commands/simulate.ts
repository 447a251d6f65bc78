/** `hushgate simulate`: push services to build an app against, without an account anywhere. */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { codeOf } from '../core/error-code.ts'
import { OperatorError } from '../operator/operator.ts'
import { listen } from '../simulators/apns-front.ts'
import { forwardApple, forwardGoogle, forwardToBrowser } from './simulation/forward.ts'
import { describeBrowserPush, startSimulatedBrowser, type SimulatedBrowser } from './simulated-browser.ts'
import { startSimulatedPhones, type SimulatedPhones } from './simulation/phones.ts'
import { startSimulatorControl } from './simulation/control.ts'
import { describePush, startSimulators, type Simulators } from './simulators.ts'

export interface SimulateOptions {
  readonly folder: string
  /** APNs; the next ones are FCM, Web Push, control, Push Kit and a push server of UnifiedPush. Undefined: any free ones. */
  readonly firstPort?: number | undefined
  /** Of the app on iOS; on Android its package. */
  readonly bundleId: string
  /** Whether to print what puts each push into an emulator. */
  readonly isForwarding: boolean
  readonly stdout: NodeJS.WritableStream
  readonly stopRequested: Promise<string>
}

const PORTS = 6
const DECLARATIVE_YAML = `    declarative:
      title: New message
      navigate: https://chat.example.com/
      navigate_room: https://chat.example.com/#/room/{room_id}/{event_id}
`

export async function simulate(options: SimulateOptions): Promise<void> {
  const { folder, firstPort, bundleId, isForwarding, stdout, stopRequested } = options
  const port = (index: number): number => (firstPort === undefined ? 0 : firstPort + index)
  // Before anything is opened or written: what is open when another port fails would keep the process alive.
  if (firstPort !== undefined) for (let index = 0; index < PORTS; index += 1) await mustBeFree(port(index))
  const print = (isAccepted: boolean, block: string, forward: () => string): void => {
    stdout.write(isForwarding && isAccepted ? `${block}${forward()}` : block)
  }
  await using simulators = await startSimulators({
    folder,
    bundleId,
    ports: { apns: port(0), fcm: port(1) },
    onApplePush(push) {
      const { token, headers, payload, body, status } = push
      const block = describePush(`Apple (${answered(push)})`, { device: token, ...headers }, payload ?? body)
      print(status === 200, block, () => forwardApple(push))
    },
    onGooglePush(push) {
      const { message, body, status } = push
      const block = describePush(`Google (${answered(push)})`, {}, message ?? body)
      print(status === 200, block, () => forwardGoogle(push, bundleId, randomUUID()))
    },
  })
  await using browser = await startSimulatedBrowser({
    folder,
    port: port(2),
    onPush: (push) =>
      print(push.status === 201, describeBrowserPush(`Browser (${answered(push)})`, push), () =>
        forwardToBrowser(push),
      ),
  })
  await using phones = await startSimulatedPhones({
    folder,
    ports: { huawei: port(4), pushServer: port(5) },
    onHuaweiPush: ({ token, message, status, code }) =>
      stdout.write(describePush(`Huawei (${answered({ status, reason: code })})`, { device: token }, message)),
    onPushServerPush(push) {
      const { ttl = '', urgency = '' } = push.headers
      const read: unknown = JSON.parse(push.payload ?? 'null')
      stdout.write(describePush(`Push server (${answered(push)})`, { device: push.name, ttl, urgency }, read))
    },
  })
  await using control = await startSimulatorControl({
    port: port(3),
    services: new Map([
      ['apple', (script) => simulators.apple.answerAll(script)],
      ['google', (script) => simulators.google.answerAll(script)],
      ['browser', (script) => browser.pushService.answerAll(script)],
      ['huawei', (script) => phones.huawei.answerAll(script)],
      ['pushserver', (script) => phones.pushServer.answerAll(script)],
    ]),
    onChange: (sentence) => stdout.write(`\n${sentence}\n`),
  })
  stdout.write(introduction(simulators, browser, phones, control.url))
  await stopRequested
}

function introduction(
  { apnsUrl, fcmUrl, appsYaml }: Simulators,
  { pushServiceUrl, device, appYaml }: SimulatedBrowser,
  phones: SimulatedPhones,
  controlUrl: string,
): string {
  return `# APNs, FCM and Web Push are simulated on ${apnsUrl}, ${fcmUrl} and ${pushServiceUrl},
# Huawei's Push Kit and a push server of UnifiedPush on ${phones.pushKitUrl} and ${phones.pushServerUrl}.
# An outage of Apple: curl -d s503 ${controlUrl}/apple, and its end: curl -d '' ${controlUrl}/apple. More: hushgate simulate --help
# A browser is subscribed: ${JSON.stringify(device)}
# With "declarative": true in its data it is Safari, which shows a notification by itself (Declarative Web Push).
# A phone with UnifiedPush is registered: ${JSON.stringify(phones.unifiedPushDevice)}
# Reach them with this configuration:
${appsYaml}${appYaml}${DECLARATIVE_YAML}${phones.appsYaml}`
}

function answered({
  status,
  reason,
}: {
  readonly status?: number | undefined
  readonly reason?: string | undefined
}): string {
  const why = reason === undefined || reason === '' ? '' : `: ${reason}`
  return `answered ${status ?? 'nothing'}${why}`
}

async function mustBeFree(port: number): Promise<void> {
  const probe = createServer()
  try {
    await listen(probe, '127.0.0.1', port)
  } catch (error) {
    throw new OperatorError(`Port ${port} cannot be had (${codeOf(error) ?? 'unknown'}); take others with --port`)
  }
  probe.close()
  await once(probe, 'close')
}
