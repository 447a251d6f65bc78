/** What is different in a container: test/image/run.test.ts. */
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { prepareDataFolder } from '../../src/commands/data-folder.ts'
import { loadConfig } from '../../src/config/load.ts'
import { kinds } from '../helpers/config-folder.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hushgate-data-'))
  await writeFile(join(folder, 'key'), 'coo')
})
afterEach(() => rm(folder, { recursive: true }))

async function prepare(file: string): Promise<void> {
  const path = join(folder, 'hushgate.yaml')
  await writeFile(path, `store: { url: "sqlite:${file}" }\napps: { a: { type: pigeon, key_file: key } }`)
  await prepareDataFolder(await loadConfig({ path, kinds, env: {} }), {})
}

describe('the folder of the database', () => {
  it('is made when it is not there, for nobody else', async () => {
    await prepare('./new/deep/hushgate.db')
    expect((await stat(join(folder, 'new/deep'))).mode & 0o777).toBe(0o700)
  })

  it('is refused in one sentence where it cannot be made', async () => {
    await expect(prepare('./key/deep/hushgate.db')).rejects.toThrow(
      `store.url: the database is to be in ${join(folder, 'key/deep')}, which cannot be written to (ENOTDIR): mount a volume there, or give a file in another folder, or a Redis`,
    )
  })
})
