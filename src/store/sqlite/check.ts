/** What is wrong with a SQLite file, or with where it is to be: may run beside the gateway that has it open. */
import { constants } from 'node:fs'
import { access, open, stat, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { SqliteSettings } from '../settings.ts'
import { VERSION } from './schema.ts'

/** Twice what is kept free to empty the queue (disk-room.ts). */
const LEAST_FREE_BYTES = 64 * 1024 * 1024
const OTHERS = 0o007
const MAGIC = 'SQLite format 3\0'
/** Of the file's header (sqlite.org/fileformat.html). */
const HEADER_BYTES = 100
const USER_VERSION_AT = 60

/** `freeBytesAt`: of the disk on which a folder is. */
export async function checkSqlite(
  { file }: Pick<SqliteSettings, 'file'>,
  freeBytesAt: (folder: string) => Promise<number> = freeBytes,
): Promise<readonly string[]> {
  const folder = await nearestFolder(dirname(file))
  const isWritable = await access(folder, constants.W_OK).then(
    () => true,
    () => false,
  )
  const free = await freeBytesAt(folder)
  return [
    ...(isWritable ? [] : [`${folder} cannot be written to by this user: give it to the user that runs Hushgate`]),
    ...(free >= LEAST_FREE_BYTES
      ? []
      : [
          `the disk of ${folder} has ${Math.floor(free / 1024 / 1024)} MB left: Hushgate stores nothing new when it is full; make room`,
        ]),
    ...(await faultsOfFile(file)),
  ]
}

async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}

/** It is made on first start. */
async function nearestFolder(folder: string): Promise<string> {
  const isThere = await stat(folder).then(
    (found) => found.isDirectory(),
    () => false,
  )
  return isThere || dirname(folder) === folder ? folder : nearestFolder(dirname(folder))
}

async function faultsOfFile(file: string): Promise<readonly string[]> {
  const found = await stat(file).catch(() => undefined)
  if (found === undefined || found.size === 0) return []
  const mode = (found.mode & OTHERS) === 0 ? [] : [`every user of this machine can read ${file}: chmod 600 ${file}`]
  const header = await readHeader(file).catch(() => undefined)
  if (header === undefined) return [...mode, `${file} cannot be read by this user`]
  if (header.toString('latin1', 0, MAGIC.length) !== MAGIC)
    return [...mode, `${file} is not a SQLite database: use another file`]
  const version = header.readUInt32BE(USER_VERSION_AT)
  return version > VERSION
    ? [...mode, `${file} was written by a newer Hushgate: run that one, or use another file`]
    : mode
}

async function readHeader(file: string): Promise<Buffer> {
  const handle = await open(file, 'r')
  try {
    const { buffer } = await handle.read(Buffer.alloc(HEADER_BYTES), 0, HEADER_BYTES, 0)
    return buffer
  } finally {
    await handle.close()
  }
}
