/** What goes into the data of a push in any payload style, so that none says more than the policy in minimal mode. */
import type { MinimalPush, Push } from '../../core/push.ts'
import type { DataBuilder } from './data.ts'

/** Minimal: only scalars, as the policy promises; what is nested (`aps`) is for APNs. */
export function addDefaults(data: DataBuilder, push: Push): void {
  for (const [key, value] of Object.entries(push.defaultPayload))
    if (push.detail !== 'minimal' || typeof value !== 'object') data.addDefault(key, value)
}

/** The same keys for every event, so that its shape says nothing. */
export function addWakeUp(data: DataBuilder, push: MinimalPush): void {
  data.addKept('sync', '1')
  if (push.sealed !== undefined) {
    data.addKept('hushgate_kid', push.sealed.kid)
    data.addKept('hushgate_sealed', push.sealed.record)
  }
  data.addText('event_id', push.ids?.eventId)
  data.addText('room_id', push.ids?.roomId)
}
