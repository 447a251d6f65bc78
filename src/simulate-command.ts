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
A device decides how it is answered: where its pushkey begins with x, then options joined by dots, then -, as in xs503.a2.n1-phone.
${Object.entries(SCRIPT_OPTIONS)
  .map(([option, meaning]) => `  ${option.padEnd(14)} ${meaning}`)
  .join('\n')}
That is the text of Google's and of Huawei's pushkey, the last part of an endpoint, and in base64 the pushkey of Apple: printf xs410-phone | base64

An outage of all devices: post such options to the control port (curl -d s503 URL/apple, or /google, /browser, /huawei, /pushserver), and nothing to end it (curl -d '' URL/apple).
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
      'of APNs; FCM, Web Push, control, Push Kit and UnifiedPush have the next five (default: any free ones)',
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
