/** How many replicas have to confirm a push, by what masters say of them. */
import { beforeEach, describe, expect, it } from 'vitest'
import { GONE_COUNTS_MS, ReplicasInStep, RESTART_COUNTS_MS } from '../../src/store/redis/replicas-in-step.ts'

const NOBODY = '0'.repeat(40)
const MASTER = 'redis'

interface Said {
  readonly history?: string
  /** The history that it went on from, where it took over from another. */
  readonly from?: string
  readonly role?: string
}

/** INFO replication of Redis 7.0.15; `replicas`: the state of each, and for how many seconds it has confirmed nothing. */
function info(replicas: readonly string[], { history = 'one', from = NOBODY, role = 'master' }: Said = {}): string {
  return [
    '# Replication',
    `role:${role}`,
    `connected_slaves:${replicas.length}`,
    ...replicas.map(
      (state, index) => `slave${index}:ip=127.0.0.1,port=${index},state=${state.replace(' ', ',offset=14,lag=')}`,
    ),
    `master_replid:${history}`,
    `master_replid2:${from}`,
    'master_repl_offset:14',
    '',
  ].join('\r\n')
}

const IN_STEP = 'online 0'

let nowMs: number
let replicas: ReplicasInStep
const told = (text: string | undefined): void => replicas.told(MASTER, text, nowMs)
const acks = (): number => replicas.acksFor(MASTER, nowMs)

beforeEach(() => {
  nowMs = 1000
  replicas = new ReplicasInStep()
})

describe('a push has to be confirmed by', () => {
  it('one replica where nothing is known, none is there, or the master does not tell', () => {
    expect(acks()).toBe(1)
    told(undefined)
    expect(acks()).toBe(1)
    told(info([]))
    expect(acks()).toBe(1)
  })

  it('all that are in step: neither one that is still being filled, nor one that is silent', () => {
    told(info([IN_STEP, IN_STEP, 'wait_bgsave 0', 'send_bulk 0', 'online 30']))
    expect(acks()).toBe(2)
  })

  it('one more for half a minute after it went: it may be the one that takes over', () => {
    told(info([IN_STEP, IN_STEP]))
    nowMs += 1000
    told(info([IN_STEP]))
    nowMs += GONE_COUNTS_MS - 1000
    expect(acks()).toBe(2)
    nowMs += 1
    expect(acks()).toBe(1)
  })

  it('those of a new master, and no longer by those of the old one', () => {
    told(info([IN_STEP, IN_STEP]))
    told(info([], { history: 'two', from: 'one' }))
    expect(acks()).toBe(1)
    told(info([IN_STEP, IN_STEP], { history: 'two', from: 'one' }))
    expect(acks()).toBe(2)
  })

  it('those that there were before a master was started again, until they are there or five minutes are over', () => {
    told(info([IN_STEP, IN_STEP]))
    nowMs += GONE_COUNTS_MS
    told(info([], { history: 'two' }))
    nowMs += RESTART_COUNTS_MS - 1
    told(info([IN_STEP], { history: 'two' }))
    expect(acks()).toBe(2)
    nowMs += 1
    expect(acks()).toBe(1)

    told(info([IN_STEP, IN_STEP], { history: 'two' }))
    told(info([], { history: 'three' }))
    told(info([IN_STEP, IN_STEP], { history: 'three' }))
    told(info([IN_STEP], { history: 'three' }))
    nowMs += GONE_COUNTS_MS + 1
    expect(acks()).toBe(1)
  })

  it('as many as before where the one that is asked is no master any more', () => {
    told(info([IN_STEP, IN_STEP]))
    told(info([], { role: 'slave', history: 'two', from: 'one' }))
    expect(acks()).toBe(2)
  })

  it('those of its own master in a Cluster', () => {
    replicas.told('a', info([IN_STEP, IN_STEP]), nowMs)
    replicas.told('b', info([]), nowMs)
    expect(['a', 'b'].map((master) => replicas.acksFor(master, nowMs))).toEqual([2, 1])
    replicas.keep(new Set(['b']))
    expect(replicas.acksFor('a', nowMs)).toBe(1)
  })
})
