/** `hushgate simulate`: push services to build an app against, without an account anywhere. */
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
  stdout.write(
    `# APNs and FCM are simulated on ${simulators.apnsUrl} and ${simulators.fcmUrl}; reach them with this configuration:\n${simulators.appsYaml}`,
  )
  await stopRequested
}
