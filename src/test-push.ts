/** A test push for an operator: what apps send to test themselves, rendered as any other, sent once and past the queue. */
import { randomBytes, randomUUID } from 'node:crypto'
import type { Config } from './config/config.ts'
import type { Routes } from './config/routes.ts'
import type { JsonObject } from './core/json.ts'
import type { Message } from './core/message.ts'
import { parseNotification } from './core/notification.ts'
import { TEST_PUSH } from './core/push.ts'
import { Secret } from './core/secret.ts'
import type { DeliveringRoutes } from './delivery/delivering-routes.ts'
import { encryptForDevice } from './intake/encrypt-for-device.ts'
import { preparePush, renderPush } from './intake/prepare-push.ts'
import { OperatorError, type TestPush, type TestPushAnswer } from './operator/operator.ts'

export interface TestPushParts {
  /** As it is configured now. */
  readonly routes: () => Routes
  readonly config: () => Pick<Config, 'queue'>
  readonly nowMs: () => number
  /** Undefined where this process does not deliver. */
  readonly delivery: () => Pick<DeliveringRoutes, 'sendOnce'> | undefined
}

const TIMEOUT_MS = 15_000
const COLLAPSE_ID_BYTES = 24

/** Resolves with undefined where no app is configured for it. Rejects with an OperatorError where nothing can be sent. */
export function createTestPush(parts: TestPushParts): (push: TestPush) => Promise<TestPushAnswer | undefined> {
  return (push) => send(parts, push)
}

async function send(
  { routes, config, nowMs, delivery }: TestPushParts,
  { app, pushkey, data = {} }: TestPush,
): Promise<TestPushAnswer | undefined> {
  const route = routes().routeFor(app, pushkey, data)
  if (route === undefined) return undefined
  const target = new Secret(route.targetOf(pushkey, data))
  const verdict = route.checkTarget(target)
  if (verdict === 'impossible')
    throw new OperatorError('This can be no pushkey of this app; of Web Push, the data of the pusher is needed, too')
  if (verdict === 'not_allowed') throw new OperatorError(route.notAllowed ?? 'It is not allowed')
  const message = render(route, app, pushkey, data, { ...config().queue, nowMs: nowMs() })
  const startedMs = performance.now()
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  const outcome = await delivery()?.sendOnce(route.name, message, target, signal)
  if (outcome === undefined) throw new OperatorError('This process does not deliver: ask a worker')
  return {
    result: outcome.kind,
    reason: outcome.kind === 'delivered' ? null : outcome.reason,
    serviceId: outcome.kind === 'delivered' ? (outcome.serviceId ?? null) : null,
    tookMs: Math.round(performance.now() - startedMs),
  }
}

type Ages = Pick<Config['queue'], 'maxAgeMs' | 'callMaxAgeMs'> & { readonly nowMs: number }

function render(
  route: NonNullable<ReturnType<Routes['routeFor']>>,
  app: string,
  pushkey: string,
  data: JsonObject,
  ages: Ages,
): Message {
  const event = { event_id: TEST_PUSH.eventId, room_id: TEST_PUSH.roomId, prio: 'high' }
  const devices = [{ app_id: app, pushkey, data }]
  const notification = parseNotification(Buffer.from(JSON.stringify({ notification: { ...event, devices } })))
  const [device] = 'devices' in notification ? notification.devices : []
  const prepared =
    'devices' in notification && device !== undefined
      ? preparePush(notification, device, route, { ...ages, encryptForDevice, randomBytes })
      : undefined
  const names = {
    id: randomUUID(),
    collapseId: randomBytes(COLLAPSE_ID_BYTES).toString('base64url'),
    roomCollapseId: () => undefined,
  }
  const rendered =
    prepared && renderPush(prepared, route, names, { shownAtMs: ages.nowMs, target: route.targetOf(pushkey, data) })
  if (rendered?.kind !== 'message') throw new OperatorError('For this device and app a test push says nothing')
  return rendered.message
}
