import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSqliteStore } from '../../src/store/sqlite/open.ts'
import { storeConformance } from './conformance.ts'

storeConformance('SQLite', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'hushgate-sqlite-'))
  return {
    open: (options) =>
      openSqliteStore({
        path: join(folder, 'hushgate.db'),
        onError: (message) => {
          throw new Error(message)
        },
        ...options,
      }),
    bytes: async () => {
      const names = await readdir(folder)
      return Buffer.concat(await Promise.all(names.map((name) => readFile(join(folder, name)))))
    },
    remove: () => rm(folder, { recursive: true }),
  }
})
