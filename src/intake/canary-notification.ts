/** What a canary push says: as little as the push service of its device lets through, and nothing to the person who holds it, where that can be. Pure. */
import type { CanaryConfig } from '../config/config.ts'
import type { OpenRoute } from '../config/routes.ts'
import { parseNotification, type Notification } from '../core/notification.ts'
import { TEST_PUSH } from '../core/push.ts'
import { preparePush, renderPush, type Circumstances } from './prepare-push.ts'

/** From the least. The first is a badge of 0, which shows nothing; where such are not sent it is the apps' own test push. */
const CONTENTS = [{ counts: { unread: 0 } }, { event_id: TEST_PUSH.eventId, room_id: TEST_PUSH.roomId, prio: 'low' }]
const NO_NAMES = { id: '', collapseId: '', roomCollapseId: () => undefined }

/** Undefined where the app's settings let neither through. */
export function canaryNotification(
  { appId, pushkey, data }: Pick<CanaryConfig, 'appId' | 'pushkey' | 'data'>,
  route: OpenRoute,
  circumstances: Circumstances,
): Notification | undefined {
  const devices = [{ app_id: appId, pushkey: pushkey.reveal(), data: JSON.parse(data.reveal()) as unknown }]
  for (const content of CONTENTS) {
    const notification = parseNotification(Buffer.from(JSON.stringify({ notification: { ...content, devices } })))
    const [device] = 'devices' in notification ? notification.devices : []
    if (!('devices' in notification) || device === undefined) continue
    const prepared = preparePush(notification, device, route, circumstances)
    const target = route.targetOf(device.pushkey.reveal(), device.data)
    const rendered = prepared && renderPush(prepared, route, NO_NAMES, { shownAtMs: circumstances.nowMs, target })
    if (rendered?.kind === 'message') return notification
  }
  return undefined
}
