/** Another version of Hushgate, built from its commit with the packages of this checkout. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, rename, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const CHECKOUT = join(import.meta.dirname, '../..')

/** Resolves with its program. */
export async function buildFormerVersion(commit: string): Promise<string> {
  const { stdout } = await run('git', ['rev-parse', '--verify', `${commit}^{commit}`], { cwd: CHECKOUT })
  const folder = join(CHECKOUT, '.cache/faults', stdout.trim())
  const program = join(folder, 'dist/main.js')
  if (existsSync(program)) return program
  const unfinished = `${folder}.unfinished`
  await rm(unfinished, { recursive: true, force: true })
  await mkdir(unfinished, { recursive: true })
  const archive = join(unfinished, 'sources.tar')
  await run('git', ['archive', '--output', archive, stdout.trim()], { cwd: CHECKOUT })
  await run('tar', ['--extract', '--file', archive], { cwd: unfinished })
  await symlink(join(CHECKOUT, 'node_modules'), join(unfinished, 'node_modules'))
  await run(process.execPath, ['scripts/build.ts'], { cwd: unfinished })
  await rename(unfinished, folder)
  return program
}
