import { defineConfig } from 'vitest/config'
import { reportersOf } from './scripts/reporters.ts'

/** The image, built and run: `npm run test:image` installs the tools first. */
export default defineConfig({
  test: {
    reporters: reportersOf('image'),
    include: ['test/image/**/*.test.ts'],
    globalSetup: ['test/image/build.ts'],
    // Two processors, and an engine that is started anew for each command.
    fileParallelism: false,
    hookTimeout: 120_000,
    testTimeout: 60_000,
  },
})
