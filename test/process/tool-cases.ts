/** What each case of what-each-tool-says.int.test.ts is called, which words name its cause, and how it is written down. */
import { TOOLS, type Said } from '../helpers/what-tools-say.ts'

/** What each case is called, and by which words each tool is held to name its cause. */
export const CASES = {
  'Twelve broken set-ups': {
    'wrong-key-id': [
      'A wrong key ID',
      {
        check: /do key_id and team_id belong/,
        status: /do key_id and/,
        find: /credential/,
        api: /Provider/,
        log: /Provider/,
      },
    ],
    'wrong-team': [
      'A wrong team ID',
      {
        check: /do key_id and team_id belong/,
        status: /do key_id and/,
        find: /credential/,
        api: /Provider/,
        log: /Provider/,
      },
    ],
    'wrong-topic': [
      'A wrong topic',
      {
        check: /is topic the bundle ID/,
        status: /is topic the bundle ID/,
        find: /credential/,
        api: /Topic/,
        log: /Topic/,
      },
    ],
    'expired-certificate': [
      'An expired certificate',
      {
        check: /certificate expired/,
        status: /credential has run out/,
        find: /waits/,
        api: /"credentialDaysLeft":-/,
        log: /the certificate expired/,
      },
    ],
    'wrong-project': [
      'A wrong Firebase project',
      { check: /of this project/, status: /of this project/, find: /credential/, api: /PERMISSION/, log: /PERMISSION/ },
    ],
    'revoked-service-account': [
      'A revoked service account',
      {
        check: /deleted or disabled/,
        status: /deleted or disabled/,
        find: /credential/,
        api: /invalid_grant/,
        log: /invalid_grant/,
      },
    ],
    'clock-off': [
      'A clock that is two hours behind',
      {
        check: /clock of this machine/,
        status: /clock of this machine/,
        find: /credential/,
        api: /Expired/,
        log: /Expired/,
      },
    ],
    'proxy-refusing': [
      'A proxy that refuses',
      {
        check: /allow CONNECT/,
        status: /allow CONNECT/,
        find: /credential/,
        api: /proxy refused/,
        log: /proxy refused/,
      },
    ],
    'dns-failing': [
      'A name that DNS does not know',
      { check: /does DNS work/, status: /does DNS work/, find: /does DNS work/, api: /ENOTFOUND/, log: /ENOTFOUND/ },
    ],
    'redis-evicting': [
      'A Redis that may evict',
      { check: /noeviction/, status: /noeviction/, api: /noeviction/, log: /noeviction/ },
    ],
    'redis-without-persistence': [
      'A Redis without persistence',
      { check: /appendonly yes/, status: /appendonly yes/, api: /appendonly yes/, log: /appendonly yes/ },
    ],
    'disk-full': [
      'A full disk',
      { check: /make room/, status: /disk is full/, api: /disk is full/, log: /disk is full/ },
    ],
  },
  'Ten faults': {
    'answers-429': [
      'The push service answers 429',
      { status: /TooManyRequests/, find: /TooManyRequests/, api: /TooManyRequests/ },
    ],
    'answers-503': [
      'The push service answers 503',
      {
        status: /push service fails.*ServiceUnavailable/,
        find: /ServiceUnavailable/,
        api: /ServiceUnavailable/,
        log: /ServiceUnavailable/,
      },
    ],
    hangs: [
      'The push service does not answer',
      { status: /no answer in time/, find: /no answer in time/, api: /no answer in time/ },
    ],
    'refuses-connections': [
      'The push service refuses connections',
      {
        check: /nothing listens there/,
        status: /nothing listens there/,
        find: /nothing listens there/,
        api: /REFUSED/,
        log: /REFUSED/,
      },
    ],
    'tls-fails': [
      'Something on the way has a certificate of its own',
      { check: /not trusted here/, status: /not trusted here/, find: /not trusted here/, api: /CERT/, log: /CERT/ },
    ],
    'credential-revoked': [
      'The key is revoked while the gateway runs',
      {
        check: /was the key revoked/,
        status: /was the key revoked/,
        find: /credential/,
        api: /Provider/,
        log: /Provider/,
      },
    ],
    'redis-away': [
      'Redis is away',
      {
        check: /does Redis run there/,
        status: /Redis is not connected/,
        api: /Redis is not connected/,
        log: /Redis is not connected/,
      },
    ],
    'redis-full': [
      'Redis is full',
      { check: /raise maxmemory/, status: /Redis is full/, api: /Redis is full/, log: /Redis is full/ },
    ],
    'process-frozen': ['The process is frozen', { status: /is frozen/, find: /is frozen/, api: /no answer/ }],
    'high-water': [
      'The queue is at its high water',
      { status: /queue\.high_water/, api: /"isAtHighWater":true/, log: /queue\.high_water/ },
    ],
  },
  'Five devices': {
    delivered: ['Delivered', { find: /took the last push/ }],
    dead: ['Dead', { find: /this pushkey is dead/, log: /A pushkey is dead/ }],
    waits: ['Waits for a retry', { find: /It waits/, status: /waits/ }],
    'given-up': ['Given up', { find: /message is at fault/, log: /given up/ }],
    'unknown-app': [
      'Of an app that is not configured',
      { find: /No app is configured/, unknown: /com\.example\.mistyped/, log: /not configured/ },
    ],
  },
} as const satisfies Readonly<
  Record<string, Readonly<Record<string, readonly [title: string, named: { readonly [Tool in keyof Said]: RegExp }]>>>
>

const INTRODUCTION = `# What each tool says

For each of twelve broken set-ups, ten faults and five devices: what an operator is told who has nothing but the tools. The words are those of the tools, written down by
\`test/process/what-each-tool-says.int.test.ts\`, which makes each of these with real processes and simulated push services, and fails when a tool no longer names the cause.
TIME, ID, PORT and N stand for what is another each time. The log is that at level info. In a row of
\`status\`: app, push service, state, since, waiting, oldest, given up, last delivered, why. What the operations page shows is what the API says.
`

export function textOf(lines: readonly string[] | undefined): string {
  return (lines ?? []).join('\n')
}

export function documentOf(said: ReadonlyMap<string, Said>): string {
  const parts = Object.entries(CASES).flatMap(([kind, cases]) => [
    `## ${kind}\n`,
    ...Object.entries(cases).map(
      ([name, [title]]) => `### ${title}\n\n| Tool | Says |\n| --- | --- |\n${rowsOf(said.get(name) ?? {})}`,
    ),
  ])
  return [INTRODUCTION, ...parts].join('\n')
}

function rowsOf(what: Said): string {
  const rows = Object.entries(TOOLS).flatMap(([tool, label]) => {
    const lines: readonly string[] | undefined = Reflect.get(what, tool)
    if (lines === undefined) return []
    const words = lines.length === 0 ? 'nothing' : lines.map((line) => `\`${line}\``).join('<br>')
    return [`| ${label} | ${words} |\n`]
  })
  return rows.join('')
}
