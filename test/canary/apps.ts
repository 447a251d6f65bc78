/** The apps of the canary tests: each policy for each push service, and one for each thing that can be wrong with a push service. */
import { canary } from './canary.ts'
import { SERVICES, type CanaryServices, type Service, type Way } from './services.ts'

export const POLICIES = [
  { privacy: 'minimal', counts: 'badge', sealed: 'optional' },
  { privacy: 'minimal', counts: 'exact', sealed: 'optional' },
  { privacy: 'event_id_only', counts: 'exact', sealed: 'optional' },
  { privacy: 'event_id_only', counts: 'none', sealed: 'optional' },
  { privacy: 'full', counts: 'badge', sealed: 'optional' },
  { privacy: 'full', counts: 'exact', sealed: 'required' },
] as const
export type Policy = (typeof POLICIES)[number]
/** Passes on what can be passed on. */
export const MOST = POLICIES[4]

/** What becomes of the script `hang` and its like; apart, as it takes long. */
export const FAULTS = 'faults'

export interface App {
  readonly name: string
  readonly service: Service
  readonly way: Way
  readonly policy: Policy
}

export function appFor(service: Service, way: Way, policy: Policy = MOST, what: string = way): App {
  return { name: `com.example.${service}.${what}.${POLICIES.indexOf(policy)}.*`, service, way, policy }
}

export function allApps(): App[] {
  return SERVICES.flatMap((service) => [
    ...POLICIES.map((policy) => appFor(service, 'works', policy)),
    appFor(service, 'works', MOST, FAULTS),
    appFor(service, 'unreachable'),
    appFor(service, 'refuses'),
    appFor(service, 'quotes'),
  ])
}

export function appsOf(services: CanaryServices): object {
  return Object.fromEntries(
    allApps().map(({ name, service, way, policy }) => [name, { ...services.section(service, way), ...policy }]),
  )
}

export function appIdOf({ name }: App): string {
  return name.replace('*', canary('app_id'))
}
