/** A gateway as it ships, an attacker, and an app that has nothing to do with it, asked all the while. */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { NOTIFY_PATH } from '../../scripts/attacks/requests.ts'
import { startGatewayProcess, type GatewayProcess } from '../helpers/gateway-process.ts'
import { metricValue } from '../helpers/gateway.ts'
import { pushTo } from '../helpers/homeserver.ts'
import { newPushkey } from '../helpers/push-services.ts'

/** What an attack came to. */
export interface Aftermath<Result> {
  readonly result: Result
  /** How the other app's notifications were answered in the end: a homeserver repeats what is answered 503, as by a machine that is busy. */
  readonly others: readonly number[]
  /** The longest time in which the gateway served nobody. */
  readonly longestStallMs: number
  readonly rssGrowthBytes: number
  readonly cpuSeconds: number
}

export interface AttackRig {
  readonly gateway: GatewayProcess
  /** `innocent`: the app_id of an app on APNs. */
  during<Result>(attack: (url: string) => Promise<Result>): Promise<Aftermath<Result>>
}

const BETWEEN_OTHERS_MS = 20

/** `innocent`: an app on APNs among the apps. */
export async function startAttackRig(apps: object, innocent: string): Promise<AttackRig> {
  const gateway = await startGatewayProcess(apps)
  const readings = async () => {
    const metrics = await gateway.admin('/metrics')
    const read = (name: string) => metricValue(metrics, name) ?? Number.NaN
    return {
      rssBytes: read('process_resident_memory_bytes'),
      cpuSeconds: read('process_cpu_seconds_total'),
      // Since it was last read.
      longestStallMs: read('nodejs_eventloop_lag_max_seconds') * 1000,
    }
  }
  return {
    gateway,
    async during(attack) {
      const before = await readings()
      const others = new Set<number>()
      const end = new AbortController()
      const asking = (async () => {
        const asked: Promise<void>[] = []
        while (!end.signal.aborted) {
          const notification = {
            event_id: `$${randomUUID()}`,
            devices: [{ app_id: innocent, pushkey: newPushkey().apns }],
          }
          asked.push(pushTo(gateway.url, notification).then(({ status }) => void others.add(status)))
          await sleep(BETWEEN_OTHERS_MS)
        }
        await Promise.all(asked)
      })()
      const result = await attack(gateway.url)
      end.abort()
      await asking
      const after = await readings()
      return {
        result,
        others: [...others],
        longestStallMs: after.longestStallMs,
        rssGrowthBytes: after.rssBytes - before.rssBytes,
        cpuSeconds: after.cpuSeconds - before.cpuSeconds,
      }
    },
  }
}

/** Resolves with the status. */
export async function postNotification(url: string, notification: object): Promise<number> {
  const response = await fetch(url + NOTIFY_PATH, { method: 'POST', body: JSON.stringify({ notification }) })
  await response.arrayBuffer()
  return response.status
}
