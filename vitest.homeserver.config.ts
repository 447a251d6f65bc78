import { defineConfig } from 'vitest/config'
import { reportersOf } from './scripts/reporters.ts'

/** The gateway against a real Synapse: `npm run test:homeserver` installs it first. */
export default defineConfig({
  test: {
    reporters: reportersOf('homeserver'),
    include: ['test/homeserver/**/*.test.ts'],
    // One Synapse and one gateway serve all tests of a file; Synapse takes seconds to start and backs off for seconds.
    hookTimeout: 120_000,
    testTimeout: 60_000,
  },
})
