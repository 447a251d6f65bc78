import { defineConfig } from 'vitest/config'
import { reportersOf } from './scripts/reporters.ts'

/** These have commands and configurations of their own: they install what takes minutes. */
const OTHERS = ['test/homeserver/**', 'test/image/**', 'test/helm/**']

export default defineConfig({
  test: {
    reporters: reportersOf('main'),
    // Half of the time is waiting, also where there are but two cores.
    maxWorkers: 2,
    projects: [
      {
        test: {
          name: 'unit',
          setupFiles: ['test/helpers/seed.ts'],
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.int.test.ts', ...OTHERS],
          // Only against what hangs: a busy machine is not a broken one.
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      // Real Redis, real SQLite files, child processes. `npm test` installs what they need; a missing tool fails the test.
      {
        test: {
          name: 'integration',
          setupFiles: ['test/helpers/seed.ts'],
          include: ['test/**/*.int.test.ts'],
          exclude: OTHERS,
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
})
