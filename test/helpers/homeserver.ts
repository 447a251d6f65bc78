/** What a homeserver does when it pushes: it posts, and posts the same again while it is told that it cannot be stored at the moment (503), as by a machine that has too much to do. */
import { setTimeout as delay } from 'node:timers/promises'

export interface Answer {
  readonly status: number
  readonly json: unknown
}

/** Rather a hang than a busy machine. */
const HANG_MS = 50_000
const PAUSE_MS = 100

/** `url`: of the notify port. */
export async function pushTo(url: string, notification: object): Promise<Answer> {
  const deadlineMs = Date.now() + HANG_MS
  for (;;) {
    const answer = await postTo(url, JSON.stringify({ notification }))
    if (answer.status !== 503 || Date.now() > deadlineMs) return answer
    await delay(PAUSE_MS)
  }
}

/** Once, whatever it is answered. */
export async function postTo(url: string, body: string | Uint8Array<ArrayBuffer>): Promise<Answer> {
  return answerOf(await fetch(`${url}/_matrix/push/v1/notify`, { method: 'POST', body }))
}

export async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text()
  return { status: response.status, json: text === '' ? undefined : JSON.parse(text) }
}
