/** Makes one fault happen, and ends it again. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { End, Fault } from './faults.ts'
import type { Gateways } from './gateways.ts'
import type { PushServices } from './push-services.ts'
import { shiftMsOf, type Timing } from './schedule.ts'
import type { Store } from './stores.ts'

export interface Victims {
  readonly gateways: Gateways
  readonly services: PushServices
  readonly store: Store
  readonly timing: Timing
}

/** Resolves when it is over and what was struck works again. */
export async function strike(fault: Fault, victims: Victims): Promise<void> {
  const end = await begin(fault, victims)
  await sleep(fault.durationMs)
  await end()
}

async function begin(fault: Fault, { gateways, services, store, timing }: Victims): Promise<End> {
  switch (fault.kind) {
    case 'process':
      return await strikeProcess(fault, gateways)
    case 'clock':
      await gateways.setClock(fault.victim, shiftMsOf(fault.name))
      return () => gateways.setClock(fault.victim, 0)
    case 'redis':
      return await store.strikeRedis(fault)
    case 'disk':
      return await store.fillDisk()
    case 'apns':
    case 'fcm':
    case 'webpush':
      await services.begin(fault)
      return () => services.end(fault)
    case 'configuration':
      await gateways.reload(services.appsYaml(timing, fault.name === 'reload' ? 'good' : 'bad'))
      return () => gateways.reload(services.appsYaml(timing, 'good'))
  }
}

async function strikeProcess(fault: Extract<Fault, { kind: 'process' }>, gateways: Gateways): Promise<End> {
  switch (fault.name) {
    case 'kill':
      await gateways.kill(fault.victim)
      return () => gateways.start(fault.victim)
    case 'pause':
      gateways.pause(fault.victim)
      return () => gateways.resume(fault.victim)
    case 'upgrade':
      await gateways.upgrade(fault.victim)
      return () => {}
  }
}
