/** Sums what the test runs wrote to .cache/tests-*.json and ends with one plain line; a run that executed nothing is a failure. */
import { readdirSync, readFileSync } from 'node:fs'

let passed = 0
let failed = 0
for (const name of readdirSync('.cache').filter((file) => /^tests-.*\.json$/.test(file))) {
  const report = JSON.parse(readFileSync(`.cache/${name}`, 'utf8'))
  passed += report.numPassedTests
  failed += report.numFailedTests + report.numPendingTests
}
console.log(`tests: ${passed} passed, ${failed} failed`)
process.exitCode = passed === 0 || failed > 0 ? 1 : 0
