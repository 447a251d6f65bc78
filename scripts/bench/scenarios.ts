/** What is measured under as much load as the gateway takes. */
import type { PushService } from './simulator-process.ts'

export interface Scenario {
  readonly name: string
  /** For people. */
  readonly title: string
  readonly service: PushService
  readonly connections: number
  /** Until the push service answers. */
  readonly delayMs: number
  readonly devicesPerRequest: number
}

const COMMON = { connections: 400, delayMs: 50, devicesPerRequest: 1 } as const

export const SCENARIOS: readonly Scenario[] = [
  { ...COMMON, name: 'apns', title: 'APNs, 400 connections, answers after 50 ms', service: 'apns' },
  {
    ...COMMON,
    name: 'apns-0',
    title: 'APNs, 50 connections, answers at once',
    service: 'apns',
    connections: 50,
    delayMs: 0,
  },
  { ...COMMON, name: 'fcm', title: 'FCM, 400 connections, answers after 50 ms', service: 'fcm' },
  { ...COMMON, name: 'webpush', title: 'Web Push, 400 connections, answers after 50 ms', service: 'webpush' },
  {
    ...COMMON,
    name: 'devices',
    title: 'APNs, 3 devices a request, 50 connections, answers after 50 ms',
    service: 'apns',
    connections: 50,
    devicesPerRequest: 3,
  },
]

/** Where the delay is measured at a fixed rate. */
export interface DelayScenario {
  readonly name: string
  /** For people. */
  readonly title: string
  readonly service: PushService
  /** The scenario whose delivered pushes a second are the capacity. */
  readonly capacityOf: string
  /** Requests a second; besides 70 % of the capacity. */
  readonly perSecond?: number
}

export const DELAY_SCENARIOS: readonly DelayScenario[] = [
  { name: 'delay', title: 'APNs', service: 'apns', capacityOf: 'apns', perSecond: 500 },
  { name: 'delay-fcm', title: 'FCM', service: 'fcm', capacityOf: 'fcm' },
  { name: 'delay-webpush', title: 'Web Push', service: 'webpush', capacityOf: 'webpush' },
]

/** What can grow. */
export const GROWTHS = ['depth', 'apps', 'devices', 'processes', 'minutes', 'neighbours'] as const
export type GrowthKind = (typeof GROWTHS)[number]
