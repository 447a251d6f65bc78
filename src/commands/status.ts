/** `hushgate status`: how each app does, and the store, as a table; and the app_ids that are not configured. */
import type { AppStatus, CanaryStatus, Status, UnknownApps } from '../operator/status.ts'
import { adviceOn } from './explain-refusal.ts'
import type { OperatorAccess } from './operator-access.ts'
import { DONE, duration, isoTime, NEEDS_YOU, writeJson, writeTable } from './output.ts'
import { withGateway } from './with-operator.ts'

export interface StatusOptions {
  readonly isJson: boolean
  readonly access: OperatorAccess
  readonly stdout: NodeJS.WritableStream
  readonly stderr: NodeJS.WritableStream
}

const HEADINGS = ['app', 'push service', 'state', 'since', 'waiting', 'oldest', 'given up', 'last delivered', 'why']
/** A credential is renewed before. */
const DAYS_LEFT = 30

/** Resolves with the exit code. */
export async function status({ isJson, access, stdout, stderr }: StatusOptions): Promise<number> {
  const [now, { unknownApps: unknown }] = await withGateway(access, stderr, async (operator) => [
    await operator.status(),
    await operator.unknownApps(),
  ])
  const needs = whatNeedsYou(now)
  if (isJson) writeJson(stdout, now)
  else {
    const { version, role, startedAtMs, nowMs, store } = now
    stdout.write(
      `Hushgate ${version}, ${role}, runs for ${duration(nowMs - startedAtMs)}; store: ${store.kind}, ${Math.round(store.fill * 100)} % full\n`,
    )
    writeTable(stdout, [HEADINGS, ...now.apps.map((app) => rowOf(app, nowMs))])
    const canaries = now.apps.flatMap((app) => canaryOf(app, nowMs))
    for (const sentence of [...canaries, ...now.apps.flatMap(waitsOf), ...sentenceOn(unknown)])
      stdout.write(`  ${sentence}\n`)
    for (const sentence of needs) stdout.write(`→ ${sentence}\n`)
  }
  return needs.length === 0 ? DONE : NEEDS_YOU
}

function rowOf(
  { app, provider, state, sinceMs, reason, queue, lastDeliveredAtMs, lastFailure }: AppStatus,
  nowMs: number,
): readonly string[] {
  const ago = (atMs: number | null): string => (atMs === null ? '-' : `${duration(nowMs - atMs)} ago`)
  return [
    app,
    provider,
    state,
    sinceMs === null ? '-' : duration(nowMs - sinceMs),
    queue === null ? '?' : String(queue.waiting + queue.delayed + queue.active),
    queue === null ? '?' : queue.oldestAgeMs === 0 ? '-' : duration(queue.oldestAgeMs),
    queue === null ? '?' : String(queue.dead),
    ago(lastDeliveredAtMs),
    reason ??
      (lastFailure === null
        ? ''
        : `last failure ${ago(lastFailure.atMs)}: ${lastFailure.reason ?? lastFailure.result}`),
  ]
}

function whatNeedsYou({ isReady, reasons, store, configuration, apps, nowMs }: Status): readonly string[] {
  const sentences = isReady ? [...store.dangers] : [...new Set([...reasons, ...store.dangers])]
  if (!configuration.isNewest)
    sentences.push('The newest configuration was refused, and the one before it is in use: hushgate check says why')
  for (const setting of configuration.pendingRestarts) sentences.push(`${setting} takes effect after a restart`)
  return [...sentences, ...apps.flatMap((app) => needsOf(app, nowMs))]
}

/** Anybody can push to what is not there. */
function sentenceOn(unknown: UnknownApps['unknownApps']): readonly string[] {
  return unknown.length === 0
    ? []
    : [`homeservers push to app_ids that are not configured (${unknown.length}); hushgate apps unknown`]
}

/** Nothing where none are configured, or where they need somebody. */
function canaryOf({ app, canary }: AppStatus, nowMs: number): readonly string[] {
  if (canary === null || canary.state === 'stopped') return []
  if (canary.state === 'unknown')
    return [`${app}: whether canary pushes arrive is not known; the store does not answer`]
  const took = canary.roundTripMs === null ? '' : `, after ${canary.roundTripMs} ms`
  return [`${app}: canary pushes: ${lastOf(canary, nowMs)}${took}`]
}

function lastOf({ state, lastArrivedAtMs }: CanaryStatus, nowMs: number): string {
  if (lastArrivedAtMs !== null) return `the last arrived ${duration(nowMs - lastArrivedAtMs)} ago`
  return state === 'awaited' ? 'none has arrived yet' : 'none has arrived'
}

/** What is no fault here, and ends by itself. */
function waitsOf({ app, state, reason, credentialDaysLeft }: AppStatus): readonly string[] {
  if (state !== 'held' || adviceOn(reason ?? '') !== undefined || (credentialDaysLeft ?? 0) < 0) return []
  return [`${app} waits: its push service fails, or asks for it (${reason ?? 'unknown'}); it is tried again by itself`]
}

function needsOf(
  { app, state, reason, isSuspected, isAtHighWater, credentialDaysLeft, canary }: AppStatus,
  nowMs: number,
): readonly string[] {
  const advice = adviceOn(reason ?? '')
  const why = advice === undefined ? 'hushgate check --online' : `${reason}: ${advice}`
  return [
    ...(state === 'blocked'
      ? [`${app} delivers nothing: its push service refuses our credential or configuration; ${why}`]
      : []),
    ...(state === 'held' && advice !== undefined
      ? [`${app} delivers nothing: its push service cannot be reached; ${why}`]
      : []),
    ...(isAtHighWater === true
      ? [`${app} takes no new pushes (503): as many wait as queue.high_water allows; see why they are not delivered`]
      : []),
    ...(state === 'paused' ? [`${app} is paused by the operator`] : []),
    ...(isSuspected === true
      ? [`${app}: rejections are held back until "hushgate rejections ${app}" releases them`]
      : []),
    ...(credentialDaysLeft !== null && credentialDaysLeft < DAYS_LEFT
      ? [`${app}: its credential ${credentialDaysLeft < 0 ? 'has run out' : `runs out in ${credentialDaysLeft} days`}`]
      : []),
    ...(canary?.state === 'stopped'
      ? [
          `${app}: no canary push arrives (${lastOf(canary, nowMs)}, and one is sent every ${duration(canary.everyMs)}); the log says what became of them`,
        ]
      : []),
  ]
}

/** `hushgate apps unknown`. Resolves with the exit code. */
export async function unknownApps({ isJson, access, stdout, stderr }: StatusOptions): Promise<number> {
  const seen = await withGateway(access, stderr, (operator) => operator.unknownApps())
  if (isJson) writeJson(stdout, seen)
  else if (seen.unknownApps.length === 0) stdout.write('No homeserver has pushed to an app_id that is not configured\n')
  else
    writeTable(stdout, [
      ['app_id', 'pushes', 'first seen', 'last seen'],
      ...seen.unknownApps.map(({ appId, count, firstSeenAtMs, lastSeenAtMs }) => [
        JSON.stringify(appId).slice(1, -1),
        String(count),
        isoTime(firstSeenAtMs),
        isoTime(lastSeenAtMs),
      ]),
    ])
  return seen.unknownApps.length === 0 ? DONE : NEEDS_YOU
}
