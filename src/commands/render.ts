/** `hushgate render`: what each party would see of one notification, byte for byte, without sending anything. */
import { randomBytes } from 'node:crypto'
import { parseNotification, type Device, type Notification } from '../core/notification.ts'
import type { Config } from '../config/config.ts'
import { openRoutes, type OpenRoute } from '../config/routes.ts'
import type { ProviderKinds } from '../config/schema.ts'
import { encryptForDevice } from '../intake/encrypt-for-device.ts'
import { preparePush, renderPush, type Circumstances, type PushNames } from '../intake/prepare-push.ts'
import type { LedgerPolicy } from '../privacy/ledger.ts'
import { exampleNotification, type Example } from './example-notifications.ts'
import { renderedJson } from './render-json.ts'
import { renderedText } from './render-text.ts'
import type { RenderedDevice } from './rendered.ts'

export interface RenderOptions {
  readonly config: Config
  readonly kinds: ProviderKinds
  /** The body of a notify request, or an example of one for each configured app. */
  readonly body: Uint8Array | Example
  readonly isJson?: boolean | undefined
  readonly stdout: NodeJS.WritableStream
  readonly nowMs: number
}

/** Resolves with the exit code. */
export async function render({ config, kinds, body: given, isJson, stdout, nowMs }: RenderOptions): Promise<number> {
  const routes = await openRoutes(config.routes, kinds)
  const body = typeof given === 'string' ? exampleFor(given, routes.all) : given
  const notification = parseNotification(body)
  if ('errcode' in notification) {
    const { errcode, error } = notification
    const status = errcode === 'M_TOO_LARGE' ? 413 : 400
    const sentence = `The gateway would answer ${status} ${errcode}: ${error}`
    stdout.write(isJson === true ? `${JSON.stringify({ status, errcode, error })}\n` : `${sentence}\n`)
    return 1
  }
  const { maxAgeMs, callMaxAgeMs } = config.queue
  const isTraced = config.tracing !== undefined
  const circumstances = { nowMs, maxAgeMs, callMaxAgeMs, encryptForDevice, randomBytes, isTraced }
  const devices = notification.devices.map((device) =>
    renderFor(notification, device, routes.routeFor(device.appId, device.pushkey.reveal(), device.data), circumstances),
  )
  const rendered = { body, isExample: typeof given === 'string', notification, devices }
  if (isJson === true) stdout.write(`${JSON.stringify(renderedJson(rendered, config), undefined, 2)}\n`)
  else stdout.write(renderedText(rendered, config, stdout))
  return 0
}

function renderFor(
  notification: Notification,
  device: Device,
  route: OpenRoute | undefined,
  circumstances: Circumstances & Pick<LedgerPolicy, 'isTraced'>,
): RenderedDevice {
  if (route === undefined)
    return { route, result: 'no app is configured for it, or none of its push services is for such a pusher' }
  const prepared = preparePush(notification, device, route, circumstances)
  const { sealing } = prepared ?? {}
  if (prepared === undefined)
    return { route, result: 'the notification holds neither an event nor counts, or is of a call that is over' }
  // As if nothing waited for a tick.
  const target = route.targetOf(device.pushkey.reveal(), device.data)
  const rendered = renderPush(prepared, route, namesOf(notification), { shownAtMs: circumstances.nowMs, target })
  if (rendered.kind === 'nothing') return { route, sealing, result: rendered.reason }
  const { policy, disclosures } = route
  const learned = {
    ...policy,
    ...prepared.timing,
    ...disclosures,
    privacy: prepared.push.detail,
    isTraced: circumstances.isTraced,
  }
  return { route, sealing, result: { prepared, message: rendered.message, isTruncated: rendered.truncated, learned } }
}

/** As on the way in, but that hashes need the key file. */
function namesOf({ roomId }: Notification): PushNames {
  return {
    id: '00000000-0000-8000-8000-000000000000',
    collapseId: 'derived-by-keyed-hash',
    roomCollapseId: () => (roomId === undefined ? undefined : 'derived-by-keyed-hash-of-room'),
  }
}

function exampleFor(example: Example, routes: readonly OpenRoute[]): Uint8Array {
  // A glob's own text matches it, but is no app_id.
  const devices = routes.map(({ app }) => ({ app_id: app.replaceAll(/[*?]/g, 'x'), pushkey: 'a-device' }))
  return Buffer.from(JSON.stringify(exampleNotification(example, devices)))
}
