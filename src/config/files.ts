/** Reading files so that a failure is a sentence, and a later change can be seen. */
import { createHash } from 'node:crypto'
import { constants, readFile, stat } from 'node:fs/promises'
import { codeOf } from '../core/error-code.ts'
import type { FileHashes } from './config-error.ts'

export type FileText =
  | { readonly text: string; readonly hash: string; readonly problem?: undefined }
  | { readonly text?: undefined; readonly hash?: undefined; readonly problem: string; readonly isMissing: boolean }

const PROBLEMS: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'does not exist',
  EACCES: 'may not be read by this process',
  EPERM: 'may not be read by this process',
  EISDIR: 'is a folder',
  ELOOP: 'is a symbolic link to itself',
}

export async function readText(path: string): Promise<FileText> {
  try {
    const bytes = await readFile(path)
    return { text: bytes.toString(), hash: createHash('sha256').update(bytes).digest('base64url') }
  } catch (error) {
    const code = codeOf(error)
    return { problem: `${path} ${PROBLEMS[code] ?? `cannot be read (${code})`}`, isMissing: code === 'ENOENT' }
  }
}

export async function hashFiles(paths: Iterable<string>): Promise<FileHashes> {
  return new Map(await Promise.all([...paths].map(async (path) => [path, (await readText(path)).hash] as const)))
}

/** Whether any user of the machine may read or change it. */
export async function isOpenToAll(path: string): Promise<boolean> {
  const { mode } = await stat(path)
  return (mode & (constants.S_IROTH | constants.S_IWOTH)) !== 0
}

export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch {
    return false
  }
}
