import { defineConfig } from 'vitest/config'

/** The image, built and run: `npm run test:image` installs the tools first. */
export default defineConfig({
  test: {
    include: ['test/image/**/*.test.ts'],
    globalSetup: ['test/image/build.ts'],
    // Two processors, and an engine that is started anew for each command.
    fileParallelism: false,
    hookTimeout: 120_000,
    testTimeout: 60_000,
  },
})
