/** The attacks of docs/reliability.md, by the numbers that they have there. */
import { BOTH_STORES, type Attack } from './attack.ts'
import { DEAR_DEVICES, HALF_SENT_BODIES, LONG_CONTENT } from './costly.ts'
import { FAILING_HOST, HANGING_HOST, HOST_THAT_THE_PROXY_REFUSES, OWN_NETWORK } from './hosts.ts'
import { BLOCKED_APP, DEAD_PUSHKEYS, FAILING_PUSHES, GUARD } from './strangers.ts'

/** Nobody attacks: how much two measurements differ by themselves, and what the known devices leave in the store. */
export const NOTHING: Attack = {
  number: '0',
  title: 'none, for comparison',
  found: '',
  stores: BOTH_STORES,
  attacked: 'ios',
  other: 'android',
  prepare: async () => async () => {},
}

export const ATTACKS: readonly Attack[] = [
  NOTHING,
  LONG_CONTENT,
  HANGING_HOST,
  DEAD_PUSHKEYS,
  FAILING_HOST,
  HOST_THAT_THE_PROXY_REFUSES,
  HALF_SENT_BODIES,
  GUARD,
  ...DEAR_DEVICES,
  BLOCKED_APP,
  OWN_NETWORK,
  FAILING_PUSHES,
]
