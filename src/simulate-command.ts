/** The command line of `hushgate simulate`. */
import type { Command } from 'commander'
import { OperatorError } from './operator/operator.ts'
import { SCRIPT_OPTIONS } from './simulators/script.ts'

interface Arguments {
  readonly folder: string
  readonly port?: string
  readonly bundleId: string
  readonly forward?: boolean
}

const HELP = `
The name of a device says how a push to it is answered. Such a name is x, then options with dots between them, then - and any text, as in xs503.a2.n1-phone.
${Object.entries(SCRIPT_OPTIONS)
  .map(([option, meaning]) => `  ${option.padEnd(14)} ${meaning}`)
  .join('\n')}
For Google and Huawei the name is the pushkey. For Web Push and UnifiedPush it is the last part of the endpoint. For Apple the pushkey is the name in base64: printf xs410-phone | base64

To begin an outage for all devices, post such options to the control port: curl -d s503 URL/apple (or /google, /browser, /huawei, /pushserver).
To end it, post nothing: curl -d '' URL/apple
`

export function addSimulateCommand(
  program: Command,
  stdout: NodeJS.WritableStream,
  stopRequested: () => Promise<string>,
): void {
  program
    .command('simulate')
    .description(
      'run simulators of push services for building an app (APNs, FCM, Web Push, Push Kit, UnifiedPush); prints the configuration that reaches them',
    )
    .option('--folder <folder>', 'where their keys and certificates are put', 'data/simulators')
    .option(
      '--port <port>',
      'the port of APNs; the next five are for FCM, Web Push, control, Push Kit and UnifiedPush (default: any free ones)',
    )
    .option('--bundle-id <id>', 'of your app on iOS, and its package on Android', 'com.example.app')
    .option('--forward', 'print what puts each push into an emulator or a browser')
    .addHelpText('after', HELP)
    .action(async ({ folder, port, bundleId, forward }: Arguments) => {
      const { simulate } = await import('./commands/simulate.ts')
      const isForwarding = forward === true
      await simulate({
        folder,
        firstPort: portOf(port),
        bundleId,
        isForwarding,
        stdout,
        stopRequested: stopRequested(),
      })
    })
}

function portOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const port = Number(text)
  // Five more come after it.
  if (!Number.isInteger(port) || port < 1 || port > 65_530) throw new OperatorError(`${text} is no port for simulators`)
  return port
}
