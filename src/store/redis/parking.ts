/**
 * What this process has parked, and in which jobs. A group may be released while one of its deliveries is still with its handler, or with others of its job,
 * so that its park is not stored yet: then it leaves as soon as that is.
 */
import { Parked } from '../parked.ts'
import type { Shard } from './shard.ts'

/** A job that this process has fetched, until what becomes of it is stored. */
export interface ParkingOfJob {
  /** A delivery of it is going to be stored as parked, in the job of this id. */
  readonly park: (group: string, jobId: string) => void
  /** All that was parked is stored. */
  readonly end: () => void
}

interface UnderWay {
  areAllReleased: boolean
  readonly released: Set<string>
}

/** These need not be delayed any longer. */
type Promote = (shardId: string, jobIds: readonly string[]) => void

/** Between the id of a shard and that of a job. */
const SEPARATOR = '\n'

export class Parking {
  readonly #promote: Promote
  readonly #parked = new Parked<string>()
  readonly #underWay = new Set<UnderWay>()

  constructor(promote: Promote) {
    this.#promote = promote
  }

  begin({ id: shardId }: Shard, fetchedId: string): ParkingOfJob {
    this.#parked.delete(parkedId(shardId, fetchedId))
    const job: UnderWay = { areAllReleased: false, released: new Set() }
    this.#underWay.add(job)
    const groups = new Map<string, string>()
    return {
      park: (group, jobId) => void groups.set(jobId, group),
      end: () => {
        this.#underWay.delete(job)
        const areReleased = Map.groupBy(groups, ([, group]) => job.areAllReleased || job.released.has(group))
        for (const [jobId, group] of areReleased.get(false) ?? []) this.#parked.add(group, parkedId(shardId, jobId))
        const released = areReleased.get(true)?.map(([jobId]) => jobId)
        if (released !== undefined) this.#promote(shardId, released)
      },
    }
  }

  /** By default, all groups. */
  release(group?: string): void {
    for (const job of this.#underWay) {
      if (group === undefined) job.areAllReleased = true
      else job.released.add(group)
    }
    const byShard = Map.groupBy(this.#parked.take(group), (parked) => parked.slice(0, parked.indexOf(SEPARATOR)))
    for (const [shardId, parked] of byShard)
      this.#promote(
        shardId,
        parked.map((each) => each.slice(shardId.length + SEPARATOR.length)),
      )
  }
}

function parkedId(shardId: string, jobId: string): string {
  return `${shardId}${SEPARATOR}${jobId}`
}
