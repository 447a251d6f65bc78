/** The visible part of a `full` push: which text of the app (loc-key) is shown with which arguments. The table is Sygnal's (docs/facts/peers.md#alerts-of-sygnal). */
import { isJsonObject, type JsonObject, type JsonValue } from '../../core/json.ts'
import type { FullPush } from '../../core/push.ts'
import { truncate } from '../../core/text.ts'

export interface LocalizedAlert {
  readonly key: string
  readonly args: readonly string[]
}

/** Sygnal's limit for a name, in characters. */
const MAX_NAME_LENGTH = 1024

/** Undefined when there is nothing to show, e.g. for somebody else's membership. */
export function alertOf(push: FullPush): LocalizedAlert | undefined {
  const sender = name(push.senderDisplayName ?? push.sender ?? ' ')
  const room = name(push.roomName || push.roomAlias || '')
  switch (push.type || undefined) {
    case undefined:
      return undefined
    case 'm.room.message':
    case 'm.room.encrypted':
      return messageAlert(push.content, sender, room)
    case 'm.call.invite':
      return { key: hasVideo(push.content) ? 'VIDEO_CALL_FROM_USER' : 'VOICE_CALL_FROM_USER', args: [sender] }
    case 'm.room.member':
      if (push.userIsTarget !== true || push.membership !== 'invite') return undefined
      return room === ''
        ? { key: 'USER_INVITE_TO_CHAT', args: [sender] }
        : { key: 'USER_INVITE_TO_NAMED_ROOM', args: [sender, room] }
    default:
      return { key: 'MSG_FROM_USER', args: [sender] }
  }
}

function messageAlert(content: JsonObject | undefined, sender: string, room: string): LocalizedAlert {
  const kind = content?.['msgtype']
  const given = kind === undefined ? undefined : content?.['body']
  const body = text(given)
  // Without a text for it, the picture is a message without content: Apple takes no null among the arguments.
  if (kind === 'm.image' && typeof given === 'string') {
    return room === ''
      ? { key: 'IMAGE_FROM_USER', args: [sender, body] }
      : { key: 'IMAGE_FROM_USER_IN_ROOM', args: [sender, body, room] }
  }
  if (body === '') {
    return room === ''
      ? { key: 'MSG_FROM_USER', args: [sender] }
      : { key: 'MSG_FROM_USER_IN_ROOM', args: [sender, room] }
  }
  if (kind === 'm.emote') {
    return room === ''
      ? { key: 'ACTION_FROM_USER', args: [sender, body] }
      : { key: 'ACTION_FROM_USER_IN_ROOM', args: [room, sender, body] }
  }
  return room === ''
    ? { key: 'MSG_FROM_USER_WITH_CONTENT', args: [sender, body] }
    : { key: 'MSG_FROM_USER_IN_ROOM_WITH_CONTENT', args: [sender, room, body] }
}

function hasVideo(content: JsonObject | undefined): boolean {
  const offer = content?.['offer']
  return isJsonObject(offer) && text(offer['sdp']).includes('m=video')
}

function name(value: string): string {
  return truncate(value, MAX_NAME_LENGTH, (piece) => piece.length)
}

function text(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : ''
}
