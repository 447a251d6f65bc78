import { defineConfig } from 'oxlint'

/**
 * The architecture as a table: what each folder may import besides its own files. Explained in docs/architecture.md. From below to above: core, store,
 * what remembers and describes (memory, metrics, activity, privacy, config), what does (intake, delivery, operator), http. Above it the parts meet: src, commands.
 */
const CORE = ['../core/*']
/** Its contract, not what is behind it. */
const STORE = [...CORE, '../store/*.ts']
const BELOW = [...STORE, '../config/*', '../memory/*', '../metrics/*', '../activity/*', '../tracing/*']
const OF_STORE = [
  '../../core/*',
  '../contract.ts',
  '../envelope.ts',
  '../expiry.ts',
  '../forget.ts',
  '../settings.ts',
  '../accept-in-steps.ts',
  '../note.ts',
  '../parked.ts',
  '../move.ts',
]

/** Each push service with the library, if any, that has its only home there. Another one is a line here; no push service knows of another. */
const PROVIDERS = {
  apns: ['@parse/node-apn'],
  fcm: ['firebase-admin'],
  hms: [],
  unifiedpush: [],
  webpush: ['web-push'],
}

const layers = [
  // node:net and node:stream for two types: what a dialled connection is.
  { folder: 'src/core', ours: [], packages: ['typebox', 'node:crypto', 'node:net', 'node:stream'] },
  { folder: 'src/store', ours: ['./sqlite/*', './redis/*', ...CORE], packages: [] },
  { folder: 'src/store/sqlite', ours: OF_STORE, packages: ['node:*'] },
  { folder: 'src/store/redis', ours: OF_STORE, packages: ['bullmq', 'ioredis', 'node:*'] },
  { folder: 'src/memory', ours: STORE, packages: [] },
  { folder: 'src/activity', ours: CORE, packages: [] },
  { folder: 'src/metrics', ours: STORE, packages: ['prom-client'] },
  { folder: 'src/privacy', ours: CORE, packages: ['typebox'] },
  { folder: 'src/tracing', ours: [...CORE, '../config/*'], packages: ['node:*'] },
  { folder: 'src/config', ours: [...CORE, '../store/settings.ts'], packages: ['typebox', 'yaml', 'node:*'] },
  { folder: 'src/config/sygnal', ours: ['../../core/*', '../*.ts'], packages: ['yaml', 'node:*'] },
  { folder: 'src/intake', ours: BELOW, packages: ['node:*'] },
  { folder: 'src/delivery', ours: BELOW, packages: [] },
  {
    folder: 'src/operator',
    ours: [...STORE, '../config/*', '../memory/*', '../activity/*'],
    packages: ['typebox', 'node:*'],
  },
  {
    folder: 'src/http',
    ours: [...CORE, '../metrics/*', '../privacy/*', '../tracing/*', '../intake/*', '../operator/*'],
    packages: ['fastify', 'typebox', 'node:*'],
  },
  {
    folder: 'src/sending',
    ours: [...CORE, '../config/*', '../network/*'],
    packages: ['node:*'],
  },
  { folder: 'src/network', ours: ['../core/*'], packages: ['node:*'] },
  { folder: 'src/providers', ours: ['./*/index.ts', ...CORE], packages: [] },
  {
    folder: 'src/providers/shared',
    ours: ['../../core/*', './connections/*', './endpoints/*'],
    packages: ['typebox', 'node:*'],
  },
  {
    folder: 'src/providers/shared/endpoints',
    ours: ['../../../core/*', '../*.ts', '../connections/*'],
    packages: ['node:*'],
  },
  {
    folder: 'src/providers/shared/connections',
    ours: ['../../../core/*', '../*.ts', '../http2/*'],
    packages: ['node:*'],
  },
  { folder: 'src/providers/shared/http2', ours: [], packages: ['node:*'] },
  ...Object.entries(PROVIDERS).map(([name, libraries]) => ({
    folder: `src/providers/${name}`,
    ours: ['../../core/*', '../shared/*'],
    packages: [...libraries, 'typebox', 'node:*'],
  })),
  { folder: 'src/simulators', ours: ['../core/*'], packages: ['node-forge', 'node:*'] },
]

/** Where the parts meet there is no row of the table, but one direction. */
const COMPOSED = [
  {
    files: ['src/gateway.ts'],
    group: ['./commands/**', './main.ts'],
    message: 'src/gateway.ts stands below the commands',
  },
  { files: ['src/commands/**'], group: ['../main.ts'], message: 'src/commands stands below src/main.ts' },
  { files: ['src/log.ts'], group: ['./**', '!./core', '!./core/**'], message: 'src/log.ts may import only src/core' },
]

function mayNotImport(files: string[], group: string[], message: string) {
  const restricted: ['error', { patterns: { group: string[]; message: string }[] }] = [
    'error',
    { patterns: [{ group, message }] },
  ]
  return { files, rules: { 'no-restricted-imports': restricted } }
}

export default defineConfig({
  plugins: ['typescript', 'unicorn', 'import', 'promise', 'node', 'vitest', 'oxc'],
  categories: { correctness: 'error', suspicious: 'error' },
  options: { typeAware: true },
  ignorePatterns: ['.cache/**'],
  rules: {
    'typescript/no-floating-promises': 'error',
    'typescript/no-misused-promises': 'error',
    'typescript/switch-exhaustiveness-check': 'error',
    'typescript/explicit-module-boundary-types': 'error',
    'typescript/consistent-type-imports': 'error',
    'typescript/no-explicit-any': 'error',
    'typescript/no-non-null-assertion': 'error',
    'import/no-cycle': 'error',
    'import/no-default-export': 'error',
    'unicorn/filename-case': ['error', { case: 'kebabCase' }],
    'vitest/no-focused-tests': 'error',
    'vitest/no-disabled-tests': 'error',
    'max-lines': ['error', { max: 250, skipBlankLines: true, skipComments: true }],
    'no-console': 'error',
    'node/no-process-env': 'error',
    // Off: each is wrong about this code, for the reason given.
    'typescript/consistent-return': 'off', // an exhaustive switch ends every path; tsc checks it
    'import/no-named-as-default-member': 'off', // `fc.assert` is how fast-check is written
    'import/no-named-as-default': 'off', // `import Type from 'typebox'` is how TypeBox is imported
    'oxc/no-async-endpoint-handlers': 'off', // for Express; Fastify awaits its handlers
    'no-await-in-loop': 'off', // what is done in order is done in order on purpose
    'unicorn/no-array-sort': 'off', // only ever on arrays made in the same expression
    'no-underscore-dangle': 'off', // the spec has such names
    'vitest/expect-expect': 'off', // helpers that expect are not seen
    'vitest/no-conditional-tests': 'off', // tables choose their case
    'vitest/require-mock-type-parameters': 'off', // no mocks of modules here
  },
  overrides: [
    ...layers.map(({ folder, ours, packages }) => {
      const allowed = [...ours, ...packages]
      // The last three: no detour through a folder that is allowed.
      const group = [
        '**',
        '!./*',
        ...allowed.flatMap((name) => [`!${name}`, `!${name}/**`]),
        '../[!.]*/../**',
        '../../[!.]*/../**',
        '../../../[!.]*/../**',
      ]
      const message = `${folder} may import only its own files and: ${allowed.join(', ')} (docs/architecture.md)`
      return mayNotImport([`${folder}/**`], group, message)
    }),
    ...COMPOSED.map(({ files, group, message }) => mayNotImport(files, group, message)),
    {
      files: ['src/**'],
      rules: { 'max-lines-per-function': ['error', { max: 60 }], 'import/no-cycle': ['error', { ignoreTypes: false }] },
    },
    { files: ['src/config/load.ts', 'test/**', 'src/simulators/**'], rules: { 'node/no-process-env': 'off' } },
    {
      files: ['test/**'],
      rules: {
        'max-lines': ['error', { max: 500, skipBlankLines: true, skipComments: true }],
        'unicorn/consistent-function-scoping': 'off', // a test's small words stand where they are used
      },
    },
    // They run before anything is installed, or beside it, and talk to whoever started them.
    { files: ['scripts/**', 'site/.vitepress/**'], rules: { 'no-console': 'off', 'node/no-process-env': 'off' } },
    { files: ['*.config.ts', 'site/.vitepress/**'], rules: { 'import/no-default-export': 'off' } },
  ],
})
