/** What happens in the demonstration: it is the homeserver, knows what was sent last, and tells terminal and page what was seen of it. */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { isJsonObject, jsonObjectOf, type JsonObject } from '../../core/json.ts'
import type { PrivacyMode } from '../../core/privacy-policy.ts'
import { NOTIFY_PATH } from '../../http/notify-server.ts'
import { exampleNotification, type Example } from '../example-notifications.ts'
import type { Simulators } from '../simulators.ts'
import type { Action } from './actions.ts'
import { compare, type Seen } from './comparison.ts'
import { describeSeen } from './print.ts'
import { SentNotifications } from './sent.ts'

export interface StageParts {
  readonly stdout: NodeJS.WritableStream
  /** By who wakes them. */
  readonly devices: Readonly<Record<string, JsonObject>>
  /** The app of a device that can be gone. */
  readonly mortalApp: string
  /** The simulated one, which can be made to answer nothing but 503. */
  readonly apple: Simulators['apple']
  /** Writes the mode into the configuration, which is then read again. */
  readonly setMode: (mode: PrivacyMode) => void
}

/** The gateway is asked so often, so long, whether it has done something. */
const POLL_MS = 100
const POLLS = 100
const ALL_READ: JsonObject = { counts: { unread: 0, missed_calls: 0 } }

export class Stage {
  readonly #parts: StageParts
  readonly #sent: SentNotifications
  #gatewayUrl = ''
  #tell: (event: JsonObject) => void = () => {}
  #mode: PrivacyMode = 'minimal'
  #isAppleAway = false

  constructor(parts: StageParts) {
    this.#parts = parts
    this.#sent = new SentNotifications(parts.devices)
  }

  begin(gatewayUrl: string, tell: (event: JsonObject) => void): void {
    this.#gatewayUrl = gatewayUrl
    this.#tell = tell
  }

  state(): JsonObject {
    return { kind: 'state', mode: this.#mode, isAppleAway: this.#isAppleAway }
  }

  /** To the gateway, as a homeserver does. */
  async forward(body: string): Promise<{ readonly status: number; readonly text: string }> {
    const notification = notificationIn(body)
    if (notification !== undefined) {
      const fields = compare(notification, { headers: {}, body: {} }).map(({ field, sent }) => ({ field, sent }))
      this.#tell({ kind: 'sent', id: this.#sent.add(notification), fields })
    }
    const response = await fetch(this.#gatewayUrl + NOTIFY_PATH, { method: 'POST', body })
    return { status: response.status, text: await response.text() }
  }

  seen(seen: Seen): void {
    const { who, status = 0, headers, body, opened } = seen
    const isAccepted = status < 300
    const { id = 0, compared = [] } = (isAccepted ? this.#sent.match(seen) : undefined) ?? {}
    this.#parts.stdout.write(describeSeen(seen, compared, this.#parts.stdout))
    const places = compared.map(({ field, seenAs = null }) => ({ field, seenAs }))
    const shown = { kind: 'seen', id, who, status, headers: { ...headers }, body, compared: places }
    this.#tell(opened === undefined ? shown : { ...shown, opened })
  }

  async act(action: Action): Promise<void> {
    switch (action) {
      case 'message':
      case 'call':
        return void (await this.#push(action, Object.values(this.#parts.devices)))
      case 'read':
        return void (await this.#push('badge', Object.values(this.#parts.devices), ALL_READ))
      case 'dead':
        return this.#pushToDeadDevice()
      case 'outage':
        return this.#toggleOutage()
      case 'minimal':
      case 'event_id_only':
      case 'full':
        return this.#change(action)
    }
  }

  async #push(example: Example, devices: readonly JsonObject[], more: JsonObject = {}): Promise<string> {
    const id: JsonObject = example === 'badge' ? {} : { event_id: `$event-${randomUUID()}` }
    return (await this.forward(JSON.stringify(exampleNotification(example, devices, { ...id, ...more })))).text
  }

  /** The first push finds out that it is gone; of the next one the homeserver is told. */
  async #pushToDeadDevice(): Promise<void> {
    const pushkey = Buffer.from(`xrUnregistered-${randomUUID()}`).toString('base64')
    const device = { app_id: this.#parts.mortalApp, pushkey }
    for (let asked = 0; asked < POLLS; asked += 1) {
      const answer = await this.#push('message', [device])
      if (answer.includes(pushkey))
        return this.#note(`The homeserver is told that this phone is gone, and stops: ${answer}`)
      await delay(POLL_MS)
    }
  }

  #toggleOutage(): void {
    this.#isAppleAway = !this.#isAppleAway
    this.#parts.apple.answerAll(this.#isAppleAway ? 's503' : undefined)
    this.#tell(this.state())
    this.#note(
      this.#isAppleAway
        ? 'Apple is away. The gateway keeps what is for it, encrypted, and tries again.'
        : 'Apple is back: what waited arrives by itself.',
    )
  }

  async #change(mode: PrivacyMode): Promise<void> {
    this.#parts.setMode(mode)
    for (let asked = 0; asked < POLLS; asked += 1) {
      const response = await fetch(`${this.#gatewayUrl}/_hushgate/privacy`)
      if (!(await response.text()).includes(`"privacy":"${mode}"`)) await delay(POLL_MS)
      else {
        this.#mode = mode
        return this.#tell(this.state())
      }
    }
  }

  #note(text: string): void {
    this.#tell({ kind: 'note', text })
  }
}

function notificationIn(body: string): JsonObject | undefined {
  const { notification } = jsonObjectOf(body) ?? {}
  return isJsonObject(notification) ? notification : undefined
}
