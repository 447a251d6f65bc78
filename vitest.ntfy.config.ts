import { defineConfig } from 'vitest/config'
import { reportersOf } from './scripts/reporters.ts'

/** The gateway against a real ntfy, which HUSHGATE_NTFY names: `npm run test:ntfy`. */
export default defineConfig({
  test: {
    reporters: reportersOf('ntfy'),
    include: ['test/ntfy/**/*.test.ts'],
    hookTimeout: 60_000,
    testTimeout: 120_000,
  },
})
