import { defineConfig } from 'vitest/config'
import { reportersOf } from './scripts/reporters.ts'
import { hasClusterTools } from './scripts/helm-tools.ts'

/** The chart: `npm run test:helm` installs the tools first, and says so when there is no Kubernetes API server to try it on. */
export default defineConfig({
  test: {
    reporters: reportersOf('helm'),
    include: ['test/helm/**/*.test.ts'],
    exclude: hasClusterTools() ? [] : ['test/helm/cluster.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
})
