/** The generated requests (scripts/record-sygnal.ts): what Sygnal 0.17 did with each, and what Hushgate makes of it, without anything being sent. */
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { encryptForDevice } from '../../src/intake/encrypt-for-device.ts'
import { preparePush, renderPush } from '../../src/intake/prepare-push.ts'
import { parseNotification, type Device, type Notification } from '../../src/core/notification.ts'
import type { Routes } from '../../src/config/routes.ts'
import type { GoldenPush } from './cases.ts'
import { differences, type Difference, type OurPush, type OurResult } from './compare.ts'
import { circumstancesOf } from './circumstances.ts'

export interface GeneratedCase {
  readonly name: string
  readonly body: string
  readonly response: { readonly status: number; readonly body: string; readonly json?: unknown }
  readonly pushes: readonly GoldenPush[]
}

export interface Recording {
  readonly seed: number
  readonly cases: readonly GeneratedCase[]
}

export function readRecording(): Recording {
  return JSON.parse(
    gunzipSync(readFileSync(new URL('../fixtures/sygnal-generated.json.gz', import.meta.url))).toString(),
  )
}

export function differencesOf(generated: GeneratedCase, routes: Routes): readonly Difference[] {
  const { notification } = JSON.parse(generated.body)
  const circumstances = circumstancesOf(notification)
  return differences(generated, answerTo(generated, routes)).map((found) => ({ ...found, ...circumstances }))
}

/** All but sending it. */
function answerTo({ body }: GeneratedCase, routes: Routes): OurResult {
  const notification = parseNotification(Buffer.from(body))
  if ('errcode' in notification) {
    const { errcode, error } = notification
    return { status: 400, contentType: '', body: JSON.stringify({ errcode, error }), rejected: undefined, pushes: [] }
  }
  const pushes = notification.devices.flatMap((device) => pushesOf(notification, device, routes))
  return { status: 200, contentType: '', body: '{"rejected":[]}', rejected: [], pushes }
}

function pushesOf(notification: Notification, device: Device, routes: Routes): OurPush[] {
  const route = routes.routeFor(device.appId, device.pushkey.reveal(), device.data)
  if (route === undefined) throw new Error('The generated requests are for apps that are configured')
  const circumstances = {
    nowMs: 1_764_000_000_000,
    maxAgeMs: 86_400_000,
    callMaxAgeMs: 60_000,
    encryptForDevice,
    randomBytes: (count: number) => new Uint8Array(count),
  }
  const prepared = preparePush(notification, device, route, circumstances)
  if (prepared === undefined) return []
  const names = {
    id: '00000000-0000-8000-8000-000000000000',
    collapseId: 'c'.repeat(32),
    roomCollapseId: () => (notification.roomId === undefined ? undefined : 'r'.repeat(32)),
  }
  const rendered = renderPush(prepared, route, names, { shownAtMs: circumstances.nowMs, target: '' })
  if (rendered.kind === 'nothing') return []
  const { headers, body } = rendered.message
  const json: unknown = JSON.parse(body)
  if (route.provider === 'fcm') {
    const message = { ...Object(json), token: device.pushkey.reveal() }
    return [{ service: 'fcm', token: 'token', headers: {}, json: { message } }]
  }
  return [{ service: route.provider === 'apns' ? 'apns' : 'webpush', token: 'token', headers, json }]
}
