/** `hushgate simulate`: push services to build an app against, without an account anywhere. */
import { describeBrowserPush, startSimulatedBrowser } from './simulated-browser.ts'
import { describePush, startSimulators } from './simulators.ts'

export interface SimulateOptions {
  readonly folder: string
  readonly stdout: NodeJS.WritableStream
  readonly stopRequested: Promise<string>
}

export async function simulate({ folder, stdout, stopRequested }: SimulateOptions): Promise<void> {
  await using simulators = await startSimulators({
    folder,
    onApplePush: ({ headers, payload, status }) =>
      stdout.write(describePush(`Apple (answered ${status ?? 'nothing'})`, headers, payload)),
    onGooglePush: ({ message, status }) =>
      stdout.write(describePush(`Google (answered ${status ?? 'nothing'})`, {}, message)),
  })
  await using browser = await startSimulatedBrowser({
    folder,
    onPush: (push) => stdout.write(describeBrowserPush(`Browser (answered ${push.status ?? 'nothing'})`, push)),
  })
  stdout.write(`# APNs, FCM and Web Push are simulated on ${simulators.apnsUrl}, ${simulators.fcmUrl} and ${browser.pushServiceUrl}.
# A browser is subscribed: ${JSON.stringify(browser.device)}
# Reach them with this configuration:
${simulators.appsYaml}${browser.appYaml}`)
  await stopRequested
}
