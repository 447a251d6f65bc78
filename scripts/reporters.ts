/** How a test run reports: as vitest does, with the reason of a failure also at once, and in a file that count-tests.mjs adds up. */
import type { Reporter, TestCase, TestModule, TestProject, TestSuite, Vitest } from 'vitest/node'

export function reportersOf(run: string): ['default', Reporter, ['json', { outputFile: string }]] {
  return ['default', new Reasons(), ['json', { outputFile: `.cache/tests-${run}.json` }]]
}

/** vitest shows why a test failed after the last one has run, which is minutes later. */
class Reasons implements Reporter {
  #vitest: Vitest | undefined

  onInit(vitest: Vitest): void {
    this.#vitest = vitest
  }

  onTestCaseResult(test: TestCase): void {
    this.#show(test.project, `${test.module.relativeModuleId} > ${test.fullName}`, test.result().errors)
  }

  /** What goes before or after the tests of a `describe`. */
  onTestSuiteResult(suite: TestSuite): void {
    this.#show(suite.project, `${suite.module.relativeModuleId} > ${suite.fullName}`, suite.errors())
  }

  /** A file that cannot be loaded, or what goes before or after all its tests. */
  onTestModuleEnd(module: TestModule): void {
    this.#show(module.project, module.relativeModuleId, module.errors())
  }

  #show(project: TestProject, where: string, errors: readonly unknown[] = []): void {
    for (const error of errors) {
      this.#vitest?.logger.error(`\nFAIL ${where}`)
      this.#vitest?.logger.printError(error, { project })
    }
  }
}
