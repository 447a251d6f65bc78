/** The pages of the site: every document of the repository, by subject. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** No documents, or none of ours. */
export const NOT_PAGES = [
  '.*/**',
  'node_modules/**',
  'site/**',
  'src/**',
  'data/**',
  'dist/**',
  'coverage/**',
  'test/fixtures/**',
]

/** In the order in which they are read. What is in none of these is in the last group, so that a new document is never missing. */
const SUBJECTS: Readonly<Record<string, readonly string[]>> = {
  Begin: ['README.md', 'docs/for-app-makers.md', 'config/examples/web/README.md', 'docs/unifiedpush.md'],
  'Come from': ['docs/migrating-from-sygnal.md', 'docs/migrating-from-hedwig.md'],
  'Run it': [
    'docs/deploying.md',
    'helm/README.md',
    'docs/configuration.md',
    'docs/operating.md',
    'docs/troubleshooting.md',
    'docs/metrics.md',
    'docs/runbook.md',
    'docs/scaling.md',
  ],
  'Trust it': ['docs/privacy.md', 'docs/threat-model.md', 'docs/reliability.md', 'docs/performance.md', 'SECURITY.md'],
  'Change it': [
    'CONTRIBUTING.md',
    'docs/architecture.md',
    'docs/decisions.md',
    'test/README.md',
    'scripts/bench/README.md',
  ],
}

export interface Page {
  /** From the root of the repository. */
  readonly path: string
  readonly title: string
}

export interface Subject {
  readonly name: string
  readonly pages: readonly Page[]
}

export function subjectsOf(root: string): readonly Subject[] {
  const found = globSync('**/*.md', { cwd: root, exclude: NOT_PAGES }).sort()
  const named = Object.values(SUBJECTS).flat()
  const groups = { ...SUBJECTS, More: found.filter((path) => !named.includes(path)) }
  return Object.entries(groups).map(([name, paths]) => ({
    name,
    pages: paths
      .filter((path) => found.includes(path))
      .map((path) => ({ path, title: titleOf(readFileSync(join(root, path), 'utf8')) })),
  }))
}

function titleOf(markdown: string): string {
  return /^# (.+)$/m.exec(markdown)?.[1]?.replaceAll('`', '') ?? ''
}
