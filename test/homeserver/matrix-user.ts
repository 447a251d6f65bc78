/** People who use a homeserver through its client API. */
import { createHmac, randomBytes, randomUUID } from 'node:crypto'

type Json = Readonly<Record<string, unknown>>

/** What a pusher is set with, under the names of the specification. */
export interface Pusher {
  readonly app_id: string
  readonly pushkey: string
  /** Beside `url`: `format`, and whatever the app wants its gateway to get. */
  readonly data: Json & { readonly url: string }
}

export interface MatrixUser {
  readonly userId: string
  /** Resolves with the room's ID. `options`: fields of `POST /createRoom`. */
  createRoom(invited: readonly MatrixUser[], options?: Json): Promise<string>
  join(roomId: string): Promise<void>
  /** This and whatever sends something resolve with the event's ID. */
  invite(roomId: string, invited: MatrixUser): Promise<string>
  send(roomId: string, type: string, content: Json): Promise<string>
  say(roomId: string, text: string): Promise<string>
  /** Offers a video call (`m.call.invite`). */
  call(roomId: string): Promise<string>
  /** Sends a read receipt. */
  read(roomId: string, eventId: string): Promise<void>
  setPusher(pusher: Pusher): Promise<void>
  /** The pushkeys of the pushers that the homeserver still has. */
  pushkeys(): Promise<readonly unknown[]>
}

const REQUEST_TIMEOUT_MS = 20_000

/** One call of the API; rejects with the homeserver's own words for anything but 200. */
export async function askHomeserver(
  url: string,
  method: 'GET' | 'POST' | 'PUT',
  path: string,
  body?: Json,
  accessToken?: string,
): Promise<Json> {
  const response = await fetch(url + path, {
    method,
    headers: accessToken === undefined ? {} : { authorization: `Bearer ${accessToken}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
  return JSON.parse(text)
}

/** Registers with Synapse's shared secret (its admin API), under `name` and a random ending, so that no two tests share a user. */
export async function registerUser(url: string, sharedSecret: string, name: string): Promise<MatrixUser> {
  const path = '/_synapse/admin/v1/register'
  const { nonce } = await askHomeserver(url, 'GET', path)
  const username = `${name}-${randomBytes(4).toString('hex')}`
  const password = randomUUID()
  const mac = createHmac('sha1', sharedSecret)
    .update(`${String(nonce)}\0${username}\0${password}\0notadmin`)
    .digest('hex')
  const account = await askHomeserver(url, 'POST', path, { nonce, username, password, mac, displayname: name })
  return userOf(url, String(account['user_id']), String(account['access_token']))
}

function userOf(url: string, userId: string, accessToken: string): MatrixUser {
  const ask = (method: 'GET' | 'POST' | 'PUT', path: string, body?: Json): Promise<Json> =>
    askHomeserver(url, method, `/_matrix/client/v3${path}`, body, accessToken)

  const send = async (roomId: string, type: string, content: Json): Promise<string> =>
    String((await ask('PUT', `/rooms/${roomId}/send/${type}/${randomUUID()}`, content))['event_id'])

  return {
    userId,
    async createRoom(invited, options = {}) {
      const invite = invited.map((user) => user.userId)
      return String((await ask('POST', '/createRoom', { preset: 'private_chat', invite, ...options }))['room_id'])
    },
    async join(roomId) {
      await ask('POST', `/join/${roomId}`, {})
    },
    async invite(roomId, invited) {
      await ask('POST', `/rooms/${roomId}/invite`, { user_id: invited.userId })
      const event = await ask('GET', `/rooms/${roomId}/state/m.room.member/${invited.userId}?format=event`)
      return String(event['event_id'])
    },
    send,
    say: (roomId, text) => send(roomId, 'm.room.message', { msgtype: 'm.text', body: text }),
    call: (roomId) =>
      send(roomId, 'm.call.invite', {
        call_id: randomUUID(),
        version: 0,
        lifetime: 60_000,
        offer: { type: 'offer', sdp: 'v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\nm=video 9 UDP/TLS/RTP/SAVPF 96' },
      }),
    async read(roomId, eventId) {
      await ask('POST', `/rooms/${roomId}/receipt/m.read/${eventId}`, {})
    },
    async setPusher(pusher) {
      const names = { kind: 'http', lang: 'en', app_display_name: 'App', device_display_name: 'Phone' }
      await ask('POST', '/pushers/set', { ...names, ...pusher, append: true })
    },
    async pushkeys() {
      const { pushers } = await ask('GET', '/pushers')
      if (!Array.isArray(pushers)) throw new Error('GET /pushers has no list')
      return pushers.map((pusher: Json) => pusher['pushkey'])
    },
  }
}
