/** What puts a simulated push into an emulator or a browser: lines to paste, from what a push service accepted. Pure. */
import { isJsonObject } from '../../core/json.ts'
import type { ReceivedApnsPush } from '../../simulators/apns.ts'
import type { ReceivedFcmPush } from '../../simulators/fcm.ts'
import type { ReceivedWebPush } from '../../simulators/webpush.ts'

/** For the iOS simulator of Xcode. */
export function forwardApple({ headers, body }: ReceivedApnsPush): string {
  if (headers['apns-push-type'] === 'voip') return '# The iOS simulator takes no VoIP pushes.\n'
  return `# Into the iOS simulator:
xcrun simctl push booted ${headers['apns-topic'] ?? ''} - <<'JSON'
${body}
JSON
`
}

/** For the Android emulator: what Google's services hand to the Firebase library of an app. */
export function forwardGoogle({ message }: ReceivedFcmPush, packageName: string, messageId: string): string {
  const data = isJsonObject(message?.['data']) ? message['data'] : {}
  const extras = Object.entries({ 'google.message_id': messageId, ...data })
  const broadcast = [
    'am broadcast -a com.google.android.c2dm.intent.RECEIVE',
    `-n ${packageName}/com.google.firebase.iid.FirebaseInstanceIdReceiver`,
    ...extras.map(([name, value]) => `--es ${quoted(name)} ${quoted(value)}`),
  ].join(' ')
  return `# Into the Android emulator (where it may not, first: adb root):
adb shell ${quoted(broadcast)}
`
}

export function forwardToBrowser({ payload = '' }: ReceivedWebPush): string {
  return `# Into a browser: DevTools, Application, Service workers, Push (Chromium), with
${payload}
`
}

/** One word for a shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
