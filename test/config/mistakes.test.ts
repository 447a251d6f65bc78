import { mkdir } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { createKeyFile } from '../../src/core/keyring.ts'
import { configFolder, GOOD_APP, kinds } from '../helpers/config-folder.ts'

const APPS = `apps:\n${GOOD_APP}\n`
const KNOWN_LOG = 'known here: level, format'
const DURATION = 'expected a duration such as 500ms, 60s, 5m, 24h or 7d'

/** One mistake each: what is written, and the line, path and sentence that is said about it. */
const table: readonly (readonly [string, string, string])[] = [
  // Names of settings
  ['an unknown section', `htp: {}\n${APPS}`, '1: htp: unknown key; did you mean "http"?'],
  ['an unknown key', `${APPS}http:\n  prot: 1\n`, '4: http.prot: unknown key; did you mean "port"?'],
  ['a key like none', `${APPS}log: { colours: 1 }\n`, `3: log.colours: unknown key; ${KNOWN_LOG}`],
  ['a name of Object', `${APPS}log: { constructor: 1 }\n`, `3: log.constructor: unknown key; ${KNOWN_LOG}`],
  ['a prototype', `${APPS}log:\n  __proto__: { level: info }\n`, '4: log: __proto__ cannot be a key'],
  ['a key given twice', `log: {}\n${APPS}log: {}\n`, '4: log: given twice, first on line 1'],
  ['an app given twice', `${APPS}${GOOD_APP}\n`, '3: apps["com.example.good"]: given twice, first on line 2'],
  [
    'a merge key',
    `${APPS}log: { <<: { level: info } }\n`,
    '3: log: merge keys (<<) are not supported; write the settings out',
  ],
  [
    'an alias',
    `${APPS}admin: { host: &local ::1 }\nhttp:\n  host: *local\n`,
    '5: http.host: aliases (*name) are not supported; write the value out',
  ],
  // Types and ranges
  [
    'text for a number',
    `${APPS}http:\n  port: all\n`,
    '4: http.port: expected a whole number from 0 to 65535, found text',
  ],
  [
    'a number out of range',
    `${APPS}http: { port: 65536 }\n`,
    '3: http.port: expected a whole number from 0 to 65535, found 65536',
  ],
  [
    'a fraction',
    `${APPS}queue: { concurrency: 1.5 }\n`,
    '3: queue.concurrency: expected a whole number from 1 to 10000, found 1.5',
  ],
  ['a number for text', `${APPS}http: { host: 5 }\n`, '3: http.host: expected text, found a number'],
  ['a list for text', `${APPS}http: { host: [a] }\n`, '3: http.host: expected text, found a list'],
  ['text for a section', `${APPS}http: 5000\n`, '3: http: expected a section of settings, found a number'],
  ['a list for the apps', 'apps: [a]\n', '1: apps: expected a section of settings, found a list'],
  ['nothing', `${APPS}http:\n  port:\n`, '4: http.port: has no value; give it one, or delete the line'],
  ['an empty section', `http:\n${APPS}`, '1: http: has no value; give it one, or delete the line'],
  [
    'a wrong choice',
    `${APPS}unknown_app: rejct\n`,
    '3: unknown_app: expected one of "drop", "reject", found "rejct"; did you mean "reject"?',
  ],
  [
    'text for yes or no',
    `${APPS}store:\n  url: redis://r\n  require_persistence: yes\nqueue: { encryption_key_file: keys }\n`,
    '5: store.require_persistence: expected true or false, found text',
  ],
  [
    'a duration without unit',
    `${APPS}queue: { max_age: 24 }\n`,
    `3: queue.max_age: ${DURATION}, from 1s to 28d, found a number`,
  ],
  [
    'a bad duration',
    `${APPS}queue: { max_age: 1 day }\n`,
    `3: queue.max_age: ${DURATION}, from 1s to 28d, found "1 day"`,
  ],
  [
    'a duration too long',
    `${APPS}queue: { call_max_age: 2h }\n`,
    `3: queue.call_max_age: ${DURATION}, from 1s to 1h, found "2h"`,
  ],
  [
    'a bad size',
    `${APPS}http: { body_limit: 1MB }\n`,
    '3: http.body_limit: expected a size such as 512KiB or 1MiB, from 16KiB to 16MiB, found "1MB"',
  ],
  [
    'one port for both',
    `${APPS}http: { port: 5001 }\nadmin: {}\n`,
    '4: admin.port: is the port of http, too; give another than 5001',
  ],
  // YAML
  ['a tab', `${APPS}http:\n\tport: 1\n`, '4: : not valid YAML: a tab is used to indent; YAML allows only spaces'],
  [
    'a bracket left open',
    `${APPS}log: { level: info\n`,
    '4: : not valid YAML: the indentation does not fit the lines around it',
  ],
  ['two documents', `${APPS}---\n${APPS}`, '3: : not valid YAML: there must be one document only; delete the line ---'],
  ['a tag', `${APPS}unknown_app: !secret drop\n`, '3: : not valid YAML: tags (!…) are not supported'],
  [
    'a glob without quotes',
    'apps:\n  *.ios: { type: pigeon }\n',
    '2: : not valid YAML: something is here that cannot be; a key that begins with * must be in quotes',
  ],
  [
    'a glob without quotes before a space',
    `${APPS}  *ios : { type: pigeon }\n`,
    '3: apps: a key that begins with * must be in quotes',
  ],
  ['a key that is a list', `${APPS}? [a]\n: 1\n`, '3: : a key must be plain text'],
  [
    'a variable in braces without quotes',
    `${APPS}http: { port: \${PORT} }\n`,
    '3: : not valid YAML: something is here that cannot be; inside { } or [ ] a ${NAME} must be in quotes',
  ],
  // Environment
  [
    'a variable that is not set',
    `${APPS}http:\n  host: \${HOST}\n`,
    '4: http.host: the environment variable HOST is not set',
  ],
  [
    'a name of Object as variable',
    `${APPS}http:\n  host: \${toString}\n`,
    '4: http.host: the environment variable toString is not set',
  ],
  [
    'a variable left open',
    `${APPS}http:\n  host: \${HOST\n`,
    '4: http.host: after ${ comes the name of an environment variable and }; for a plain ${ write $${',
  ],
  [
    'a variable that does not fit',
    `${APPS}http:\n  port: \${WORD}\n`,
    '4: http.port: expected a whole number from 0 to 65535, found something else, from an environment variable',
  ],
  // Store and keys
  [
    'an unknown store',
    `${APPS}store:\n  url: postgres://p\n`,
    '4: store.url: expected sqlite:./path, sqlite:/path, redis://host:6379, rediss://host:6379 or redis+sentinel://host:26379,host:26379/name',
  ],
  [
    'a Redis setting with SQLite',
    `${APPS}store: { prefix: a }\n`,
    '3: store.prefix: is only for Redis; the store is SQLite',
  ],
  [
    'Redis without keys',
    `${APPS}store: { url: redis://r }\n`,
    '3: queue.encryption_key_file: is missing: with Redis every process needs the same keys; make them with: hushgate keygen store',
  ],
  [
    'a SQLite setting with Redis',
    `${APPS}queue: { encryption_key_file: keys }\nstore: { url: redis://r, synchronous: full }\n`,
    '4: store.synchronous: is only for SQLite; the store is Redis',
  ],
  [
    'shards of an app that is not there',
    `${APPS}queue: { encryption_key_file: keys }\nstore:\n  url: redis://r\n  shards:\n    com.example.god: 2\n`,
    '7: store.shards["com.example.god"]: no app has this name; did you mean "com.example.good"?',
  ],
  [
    'shards that are none',
    `${APPS}queue: { encryption_key_file: keys }\nstore:\n  url: redis://r\n  shards:\n    com.example.good: 0\n`,
    '7: store.shards["com.example.good"]: expected a whole number from 1 to 64, found 0',
  ],
  [
    'both url and cluster',
    `${APPS}queue: { encryption_key_file: keys }\nstore:\n  url: redis://r\n  cluster: [redis://r]\n`,
    '6: store.cluster: give url or cluster, not both',
  ],
  [
    'both password and password_file',
    `${APPS}queue: { encryption_key_file: keys }\nstore:\n  url: redis://r\n  password_file: key\n  password: canary\n`,
    '7: store.password: give password or password_file, not both',
  ],
  [
    'a password in the URL, too',
    `${APPS}queue: { encryption_key_file: keys }\nstore:\n  url: redis://:canary@r\n  password_file: key\n`,
    '6: store.password_file: is given in the URL, too; give it once',
  ],
  [
    'an empty password file',
    `${APPS}queue: { encryption_key_file: keys }\nstore:\n  url: redis://r\n  password_file: empty\n`,
    '6: store.password_file: the file is empty',
  ],
  [
    'a CA without TLS',
    `${APPS}queue: { encryption_key_file: keys }\nstore:\n  url: redis://r\n  ca_file: key\n`,
    '6: store.ca_file: is only for TLS; write rediss:// instead of redis://',
  ],
  [
    'a key file that is not there',
    `${APPS}queue:\n  encryption_key_file: none\n`,
    '4: queue.encryption_key_file: DIR/none does not exist',
  ],
  ['a token that is not there', `${APPS}admin:\n  token_file: none\n`, '4: admin.token_file: DIR/none does not exist'],
  [
    'an empty token',
    `${APPS}admin:\n  token_file: empty\n`,
    '4: admin.token_file: the file is empty; make a token with: hushgate keygen token',
  ],
  [
    'a short token',
    `${APPS}admin:\n  token_file: key\n`,
    '4: admin.token_file: the token is shorter than 22 characters; make one with: hushgate keygen token',
  ],
  // Apps
  [
    'no apps',
    'http: { port: 1 }\n',
    '1: apps: is missing: The apps by app_id, exact or as a glob: * is any characters, ? is exactly one. At least one.',
  ],
  ['no app', 'http: { port: 1 }\napps: {}\n', '2: apps: has no app; name at least one'],
  [
    'an app that is no section',
    'apps:\n  a.b: pigeon\n',
    '2: apps["a.b"]: expected a section of settings with a type, one of "pigeon", "parrot"',
  ],
  ['no type', 'apps:\n  a.b: { key_file: key }\n', '2: apps["a.b"].type: is missing: one of "pigeon", "parrot"'],
  [
    'an unknown type',
    'apps:\n  a.b:\n    type: pidgeon\n    key_file: key\n',
    '3: apps["a.b"].type: unknown push service, expected one of "pigeon", "parrot"; did you mean "pigeon"?',
  ],
  [
    'a type of Object',
    'apps:\n  a.b: { type: constructor }\n',
    '2: apps["a.b"].type: unknown push service, expected one of "pigeon", "parrot"',
  ],
  ['an option missing', 'apps:\n  a.b:\n    type: pigeon\n', '2: apps["a.b"].key_file: is missing: The key.'],
  [
    'an unknown option',
    'apps:\n  a.b:\n    type: pigeon\n    key_file: key\n    keyfile: key\n',
    '5: apps["a.b"].keyfile: unknown key; did you mean "key_file"?',
  ],
  [
    'an option that does not match',
    'apps:\n  a.b:\n    type: pigeon\n    key_file: key\n    loft: home\n',
    '5: apps["a.b"].loft: expected text that matches ^[A-Z]{3}$, found something else',
  ],
  [
    'an option with a wrong value inside',
    'apps:\n  a.b:\n    type: pigeon\n    key_file: key\n    extra: { one: a }\n',
    '5: apps["a.b"].extra.one: expected a whole number, found text',
  ],
  [
    'a file that is not there',
    'apps:\n  a.b:\n    type: pigeon\n    key_file: sub/none\n',
    '4: apps["a.b"].key_file: DIR/sub/none does not exist',
  ],
  [
    'a folder for a file',
    'apps:\n  a.b:\n    type: pigeon\n    key_file: folder\n',
    '4: apps["a.b"].key_file: DIR/folder is a folder',
  ],
  [
    'a file that the provider refuses',
    'apps:\n  a.b:\n    type: pigeon\n    key_file: empty\n',
    '4: apps["a.b"].key_file: the key does not coo',
  ],
  [
    'an app that always rings and is minimal by default',
    'apps:\n  a.b:\n    type: pigeon\n    key_file: key\n    brings: call\n',
    '5: apps["a.b"].brings: a pigeon that calls has to say who it is for; set privacy: event_id_only',
  ],
  [
    'coalescing of pushes that are not minimal',
    'privacy: full\napps:\n  a.b:\n    type: pigeon\n    key_file: key\n    coalesce: 30s\n',
    '6: apps["a.b"].coalesce: is only for privacy: minimal, where one push says as much as the next; set that, or delete the line',
  ],
  [
    'placeholders for IDs that are passed on',
    'apps:\n  a.b:\n    type: pigeon\n    key_file: key\n    privacy: event_id_only\n    placeholder_ids: true\n',
    '6: apps["a.b"].placeholder_ids: is only for privacy: minimal, as other modes pass on the real IDs; set that, or delete the line',
  ],
  [
    'calls that wait for a tick',
    'apps:\n  a.b:\n    type: pigeon\n    key_file: key\n    privacy: full\n    brings: call\n    release_every: 1s\n',
    '7: apps["a.b"].release_every: is not for brings: call, as a call must ring at once; delete the line',
  ],
  [
    'coalescing for most of the time that pushes are kept',
    'queue: { max_age: 30s }\napps:\n  a.b:\n    type: pigeon\n    key_file: key\n    coalesce: 16s\n',
    '6: apps["a.b"].coalesce: lets pushes expire before they leave, or before they can be tried again: coalesce and release_every together must be at most half of queue.max_age',
  ],
  [
    'both together for most of the time that pushes are kept',
    'queue: { max_age: 30s }\napps:\n  a.b:\n    type: pigeon\n    key_file: key\n    coalesce: 10s\n    release_every: 6s\n',
    '7: apps["a.b"].release_every: lets pushes expire before they leave, or before they can be tried again: coalesce and release_every together must be at most half of queue.max_age',
  ],
  [
    'ticks that are too far apart',
    'apps:\n  a.b:\n    type: pigeon\n    key_file: key\n    release_every: 11m\n',
    `5: apps["a.b"].release_every: ${DURATION}, from 1s to 10m, found "11m"`,
  ],
  [
    'a mode that is none, of which no more follows',
    'privacy: most\napps:\n  a.b:\n    type: pigeon\n    key_file: key\n    coalesce: 30s\n',
    '1: privacy: expected one of "minimal", "event_id_only", "full", found "most"',
  ],
  [
    'a space in a name',
    'apps:\n  "a b": { type: pigeon, key_file: key }\n',
    '2: apps["a b"]: an app_id has no spaces or control characters',
  ],
  [
    'a bad key to allow',
    'apps:\n  a.b:\n    type: pigeon\n    key_file: key\n    default_payload_allow:\n      - aps.category\n      - aps..x\n',
    '7: apps["a.b"].default_payload_allow[1]: expected text that matches ^[^.\\s]+([.][^.\\s]+)*$, found something else',
  ],
  [
    'two globs that match the same app',
    'apps:\n  com.example.*: { type: pigeon, key_file: key }\n  "*.ios": { type: pigeon, key_file: key }\n',
    '3: apps["*.ios"]: "com.example.*" and "*.ios" both match "com.example.ios"; it must be clear whose push that is',
  ],
]

describe('a mistake in the configuration', () => {
  it.each(table)('is named with its line: %s', async (_name, yaml, mistake) => {
    await using folder = await configFolder()
    await folder.write('empty', '')
    await mkdir(folder.at('folder'))
    await folder.write('keys', createKeyFile())
    expect(await folder.mistakes(yaml, { WORD: 'canary' })).toEqual([mistake])
  })

  it('in the type of an app hides no other mistake of its section', async () => {
    await using folder = await configFolder()
    const yaml = 'apps:\n  a.b:\n    type: pidgeon\n    key_file: none\n    loft: home\n    privacy: total\n'
    expect(await folder.mistakes(yaml, {})).toEqual([
      expect.stringMatching(/^3: .*type: unknown push service/),
      expect.stringMatching(/^4: .*key_file: .* does not exist$/),
      expect.stringMatching(/^5: .*loft: expected text/),
      expect.stringMatching(/^6: .*privacy: expected/),
    ])
  })

  it('is reported together with all others, in the order of the file', async () => {
    await using folder = await configFolder()
    const yaml = [
      'htttp: {}',
      'http: { port: no, body_limit: 1, host: "${HOST}" }',
      'queue: { max_age: 1y }',
      'log: { level: loud }',
      'store: { url: "sqlite:", replica_acks: 17 }',
      'apps:',
      '  a.*: { type: pigeon, key_file: none, wings: 3 }',
      '  "*.b": { type: pigeon, key_file: key, counts: all }',
      '  c: { type: duck }',
      '',
    ].join('\n')
    const mistakes = await folder.mistakes(yaml)
    expect(mistakes.map((mistake) => mistake.replace(/^(\d+: [^ ]+):.*/s, '$1'))).toEqual(
      [
        '1: htttp',
        '2: http.host',
        '2: http.port',
        '2: http.body_limit',
        '3: queue.max_age',
        '4: log.level',
        '5: store.replica_acks',
        '5: store.url',
        '7: apps["a.*"].wings',
        '7: apps["a.*"].key_file',
        '8: apps["*.b"]',
        '8: apps["*.b"].counts',
        '9: apps["c"].type',
      ].map((line) => line.replace('apps["c"]', 'apps.c')),
    )
  })

  it('never shows what may be a secret', async () => {
    await using folder = await configFolder()
    const yaml = `store:\n  password: [canary]\n  url: redis://user:canary@/x\n  prefix: "canary canary"\n  username: "\${NAME}"\nlog: { format: "\${NAME}" }\n${APPS}`
    const mistakes = await folder.mistakes(yaml, { NAME: 'canary' })
    expect(mistakes.length).toBe(4)
    expect(mistakes.join('\n')).not.toContain('canary')
    const broken = await folder.mistakes('store: { password: "canary\n  x: canary\n')
    expect(broken.length).toBeGreaterThan(0)
    expect(broken.join('\n')).not.toContain('canary')
  })

  it('is said of the file itself when it is not there or empty', async () => {
    await using folder = await configFolder()
    expect(await folder.mistakes('')).toEqual([
      '1: apps: is missing: The apps by app_id, exact or as a glob: * is any characters, ? is exactly one. At least one.',
    ])
    await expect(loadConfig({ path: folder.at('none.yaml'), env: {}, kinds })).rejects.toThrow(
      `${folder.at('none.yaml')} does not exist`,
    )
  })
})
