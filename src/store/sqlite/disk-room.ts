/** New deliveries must not take the last room on the disk: removing what has been sent needs room in the log, too. */
import { statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { PAGE_BYTES, readNumber } from './schema.ts'

/** A few times what the log holds between two checkpoints (1,000 pages) and what a checkpoint adds to the database. */
const RESERVED_BYTES = 32 * 1024 * 1024
/** Of a disk so small that the reserve would be most of it. */
const RESERVED_SHARE = 0.25

/** How much of the room that there is for the file is in use, from 0 to 1: of the disk, or of `maxBytes`. Free pages of the file count as room. */
export function fillOf(database: DatabaseSync, path: string, maxBytes = Infinity): number {
  const pages = readNumber(database, 'pragma page_count') - readNumber(database, 'pragma freelist_count')
  const used = pages * PAGE_BYTES
  const { bavail, bsize } = statfsSync(dirname(path))
  return Math.min(1, used / Math.min(maxBytes, used + Math.max(0, bavail * bsize - RESERVED_BYTES)))
}

/** Throws when nothing new must be stored. Free pages of the file count as room. */
export function assertRoom(database: DatabaseSync, path: string): void {
  const { bavail, blocks, bsize } = statfsSync(dirname(path))
  const missing = Math.min(RESERVED_BYTES, blocks * bsize * RESERVED_SHARE) - bavail * bsize
  if (missing > 0 && missing > readNumber(database, 'pragma freelist_count') * PAGE_BYTES)
    throw new Error('the disk is full but for the room that is needed to empty the queue')
}
