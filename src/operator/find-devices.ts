/** What is known of a device, by its pushkey or by its hash: all that answers why it got nothing. Changes nothing. */
import { randomUUID } from 'node:crypto'
import type { OpenRoute, Routes } from '../config/routes.ts'
import type { JsonObject } from '../core/json.ts'
import { shortHash, type Identities, type Recipient } from '../core/identities.ts'
import type { Receipt } from '../core/receipt.ts'
import { DeadPushkeys } from '../memory/dead-pushkeys.ts'
import { Deduplication } from '../memory/deduplication.ts'
import { knownKey, type KnownDevices } from '../memory/known-devices.ts'
import type { Receipts } from '../memory/receipts.ts'
import type { RejectionGuard } from '../memory/rejection-guard.ts'
import { WakeUps } from '../memory/wake-ups.ts'
import type { Held, Store } from '../store/contract.ts'
import { adviceFor } from './advice.ts'
import { OperatorError, type DeviceQuestion, type FoundDevice, type FoundDevices } from './operator.ts'
import { shownDeadLetter } from './shown-dead-letter.ts'

export interface FindParts {
  readonly store: Pick<Store, 'queue' | 'memory'>
  readonly guard: RejectionGuard
  readonly known: KnownDevices
  readonly receipts: Receipts
  readonly identities: Identities
  readonly isBlocked: (route: string) => boolean | undefined
  readonly routes: () => Routes
  readonly nowMs: () => number
}

/** A device that may be meant. */
interface Candidate {
  readonly route: OpenRoute
  readonly deviceHash: string
  /** Undefined where only its hash was given. */
  readonly recipient?: Recipient
}

type FoundInStore = Omit<FoundDevice, 'advice'>

export async function findDevices(parts: FindParts, question: DeviceQuestion): Promise<FoundDevices> {
  const candidates = await candidatesOf(parts, question)
  const found: FoundInStore[] = []
  // One after the other: each may read all that its app has stored.
  for (const candidate of candidates) {
    const device = await lookUp(parts, candidate)
    if (isAnythingKnown(device)) found.push(device)
  }
  return {
    devices: meant(found, question).map((device) => ({
      ...device,
      advice: [...adviceFor(device, parts.receipts.areKept)],
    })),
    receipts: parts.receipts.areKept,
    names:
      question.pushkey === undefined
        ? []
        : candidates.map(({ route, deviceHash }) => ({ app: route.app, device: shortHash(deviceHash) })),
  }
}

/** By a hash alone a store may remember a device without saying of which app: where something else tells the app, the others are not meant. */
function meant(found: readonly FoundInStore[], { device }: DeviceQuestion): readonly FoundInStore[] {
  if (device === undefined) return found
  const namesApp = ({ receipt, waiting, dead }: FoundInStore): boolean =>
    receipt !== undefined || waiting > 0 || dead.length > 0
  const named = new Set(found.filter(namesApp).map((each) => each.device))
  return found.filter((each) => namesApp(each) || !named.has(each.device))
}

async function candidatesOf(parts: FindParts, question: DeviceQuestion): Promise<readonly Candidate[]> {
  const { appId, pushkey, device, data = {} } = question
  if ((pushkey === undefined) === (device === undefined))
    throw new OperatorError('Give a pushkey or a device, not both')
  const routes = routesOf(parts.routes(), appId, pushkey ?? '', data)
  if (device === undefined && pushkey !== undefined)
    return routes
      .filter(({ app }) => appId !== undefined || !/[*?]/.test(app))
      .map((route) => byPushkey(parts, route, appId ?? route.app, pushkey, data))
  const candidates: Candidate[] = []
  // One route after the other: a store may do at once, and so hold up others, what it is asked at once.
  for (const route of routes)
    for (const deviceHash of await hashesOf(parts, route, device ?? '')) candidates.push({ route, deviceHash })
  return candidates
}

/** Without an app_id all of them. Of a glob only the app_id tells whose pushkey it is. */
function routesOf(routes: Routes, appId: string | undefined, pushkey: string, data: JsonObject): readonly OpenRoute[] {
  if (appId === undefined) return routes.all
  const own = routes.ofApp(appId)
  if (own.length > 0) return own
  const route = routes.routeFor(appId, pushkey, data)
  if (route === undefined)
    throw new OperatorError(
      `No app is configured for ${appId}; the configuration has ${routes.all.map(({ app }) => app).join(', ')}`,
    )
  return [route]
}

function byPushkey(
  { identities }: FindParts,
  route: OpenRoute,
  appId: string,
  pushkey: string,
  data: JsonObject,
): Candidate {
  const recipient = { route: route.name, appId, target: route.targetOf(pushkey, data), data }
  return { route, deviceHash: identities.device(recipient), recipient }
}

/** Whole hashes that begin as the log shows it: of devices that are remembered, and of those that something is stored for. */
async function hashesOf({ store }: FindParts, route: OpenRoute, device: string): Promise<ReadonlySet<string>> {
  if (device.length > 8) return new Set([device])
  const isWanted = (hash: string): boolean => shortHash(hash) === device
  // 8 hex digits are five characters of base64url and a bit.
  const start = Buffer.from(device, 'hex').toString('base64url').slice(0, 5)
  const kinds = ['dead:', 'known:']
  const keys = await Promise.all(kinds.map((kind) => store.memory.keysOf(route.name, kind + start)))
  const held = await store.queue.search(route.name, start)
  const remembered = keys.flat().map((key) => key.slice(key.indexOf(':') + 1))
  const stored = [...held.deliveries, ...held.deadLetters].map(({ deviceHash }) => deviceHash)
  return new Set([...remembered, ...stored].filter(isWanted))
}

async function lookUp(parts: FindParts, candidate: Candidate): Promise<FoundInStore> {
  const { store, guard, known, receipts, identities, isBlocked, nowMs } = parts
  const { route, deviceHash, recipient } = candidate
  const { memory, queue } = store
  const owner = { route: route.name, deviceHash }
  const [receipt, death, day, held, isBadgeKnown, wakeUpAtMs] = await Promise.all([
    receipts.find(owner),
    new DeadPushkeys({ memory, guard, known, identities, nowMs }).describe(owner),
    memory.get(owner, knownKey(owner)),
    queue.search(route.name, deviceHash),
    recipient && new Deduplication(memory).hasLatest(owner, identities.badge(recipient, route.countsPer)),
    recipient && latestWakeUp(parts, recipient, owner, route),
  ])
  const isOfRoute = receipt !== undefined && receipts.isOf(receipt, route.name)
  return {
    app: route.app,
    device: shortHash(deviceHash),
    ...optional('receipt', isOfRoute ? shownReceipt(receipt) : undefined),
    wasDelivered: day !== undefined,
    ...optional('death', death && shownDeath(death)),
    ...(await storedOf(parts, route, held)),
    ...optional('hasLatestBadge', isBadgeKnown),
    ...optional('wakeUpAtMs', wakeUpAtMs),
    ...optional('isBlocked', isBlocked(route.name)),
  }
}

async function storedOf(
  { store }: FindParts,
  route: OpenRoute,
  { deliveries, deadLetters, unreadable }: Held,
): Promise<Pick<FoundInStore, 'waiting' | 'oldestAcceptedAtMs' | 'dead' | 'unreadable'>> {
  const listed = await Promise.all(
    deadLetters.map(({ id }) => store.queue.listDead({ route: route.name, id }, 1, { withDevices: true })),
  )
  const oldest = deliveries.length === 0 ? undefined : Math.min(...deliveries.map(({ acceptedAtMs }) => acceptedAtMs))
  return {
    waiting: deliveries.length,
    ...optional('oldestAcceptedAtMs', oldest),
    dead: listed.flat().map(shownDeadLetter),
    unreadable,
  }
}

async function latestWakeUp(
  { store, identities }: FindParts,
  recipient: Recipient,
  owner: { readonly route: string; readonly deviceHash: string },
  route: OpenRoute,
): Promise<number | undefined> {
  const wakeUps = new WakeUps(store.memory, randomUUID)
  const keys = identities.ofDevice(recipient, route.countsPer).wakeUps
  const times = await Promise.all(keys.map((key) => wakeUps.plannedMs(owner, key)))
  const known = times.filter((time) => time !== undefined)
  return known.length === 0 ? undefined : Math.max(...known)
}

function shownReceipt({ routeMark: _mark, ...shown }: Receipt): NonNullable<FoundDevice['receipt']> {
  return shown
}

type Death = NonNullable<Awaited<ReturnType<DeadPushkeys['describe']>>>

function shownDeath({ deathMs, recordedMs, isRevived, opinion }: Death): NonNullable<FoundDevice['death']> {
  return { diedAtMs: deathMs, recordedAtMs: recordedMs, isRevived, opinion }
}

function isAnythingKnown({
  receipt,
  wasDelivered,
  death,
  waiting,
  dead,
  hasLatestBadge,
  wakeUpAtMs,
}: FoundInStore): boolean {
  const isRemembered = receipt !== undefined || death !== undefined || wasDelivered || hasLatestBadge === true
  return isRemembered || waiting > 0 || dead.length > 0 || wakeUpAtMs !== undefined
}

/** Without the key where there is no value. */
function optional<const Key extends string, Value>(key: Key, value: Value | undefined): Partial<Record<Key, Value>> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a computed key is any string to the compiler
  return value === undefined ? {} : ({ [key]: value } as Record<Key, Value>)
}
