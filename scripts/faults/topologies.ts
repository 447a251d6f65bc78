/** Of what the gateways of a run consist. */

export const TOPOLOGIES = ['sqlite', 'redis', 'redis-split', 'sentinel', 'cluster'] as const
export type Topology = (typeof TOPOLOGIES)[number]

const SPLIT = ['http-1', 'http-2', 'worker-1', 'worker-2']

/** The processes of Hushgate; each name begins with its role. */
export const PROCESSES: Readonly<Record<Topology, readonly string[]>> = {
  sqlite: ['all'],
  redis: ['all'],
  'redis-split': SPLIT,
  sentinel: SPLIT,
  cluster: SPLIT,
}

/** What can be struck of Redis: one, or a master with what may take its place. */
export const REDISES: Readonly<Record<Topology, readonly string[]>> = {
  sqlite: [],
  redis: ['redis'],
  'redis-split': ['redis'],
  sentinel: ['redis'],
  cluster: ['redis-1', 'redis-2', 'redis-3'],
}
