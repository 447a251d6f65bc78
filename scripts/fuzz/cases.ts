/** The cases of a seed: what is written to which port, and what may be answered. Pure. */
import { adminBody, changed, notifyBody, recordBody, tradeBody, WEB_PUSH_HOST } from './bodies.ts'
import { Random } from './random.ts'
import { head, requestOf, strangeTarget } from './requests.ts'
import { garbage, smuggled } from './wire.ts'

export type Port = 'notify' | 'admin'

export type Step =
  | { readonly kind: 'write'; readonly bytes: Buffer }
  | { readonly kind: 'wait'; readonly ms: number }
  /** `end`: nothing more is written, and what is answered is read. `hold`: nothing more is done until the end of the run. */
  | { readonly kind: 'end' | 'reset' | 'hold' }

export interface FuzzCase {
  readonly seed: number
  readonly index: number
  readonly what: string
  readonly port: Port
  readonly steps: readonly Step[]
  /** So many answers have to come; `any`: up to a hundred, and then the connection is closed; `refused`: the same, and none to what is hidden in the body. */
  readonly answers: number | 'any' | 'refused'
  /** May go over a connection that others used. */
  readonly isPlain: boolean
}

type Told = Omit<FuzzCase, 'seed' | 'index' | 'isPlain'> & { readonly isPlain?: true }

const MOST_PIPELINED = 12
const MOST_PIECES = 12
const MOST_WAIT_MS = 15
const HELD_ONCE_IN = 12
const TOKEN_MISSING_ONCE_IN = 6
const TOKEN = '<token>'
const ENDPOINT = '<endpoint>'
const VAPID = '<vapid>'
const SPOILT_HEADER_ONCE_IN = 6

/** Each as often as it stands here. */
const KINDS: readonly ((random: Random) => Told)[] = [
  ...times(24, aBody),
  ...times(3, anAdminBody),
  aTrade,
  ...times(2, aMessage),
  ...times(2, aPath),
  ...times(3, aSpoiltHead),
  ...times(2, severalAtOnce),
  ...times(3, hiddenInAnother),
  ...times(2, whatIsNoRequest),
  slowly,
  halfOfOne,
]

/** What each gateway has of its own. */
export interface Places {
  /** Of the admin port. */
  readonly token: string
  /** Of the simulated Web Push service; five digits. */
  readonly webPushPort: number
  /** An endpoint of the relay: its path, and what whoever sends there is authorized by. */
  readonly endpoint: string
  readonly vapid: string
}

/** The same for the same seed and index, but for the places. */
export function caseOf(seed: number, index: number, { token, webPushPort, endpoint, vapid }: Places): FuzzCase {
  const random = new Random(seed, index)
  const { steps, ...told } = random.pick(KINDS)(random)
  const placed = steps.map((step): Step => {
    if (step.kind !== 'write') return step
    const hosted = replaced(step.bytes, WEB_PUSH_HOST, `localhost:${webPushPort}`)
    const bytes = replaced(replaced(hosted, ENDPOINT, endpoint), VAPID, vapid)
    return { kind: 'write', bytes: told.port === 'admin' ? replaced(bytes, TOKEN, token) : bytes }
  })
  return { seed, index, isPlain: false, ...told, steps: placed }
}

export function describeCase({ seed, index, what, port }: FuzzCase): string {
  return `${what}, ${port} port: npm run test:fuzz -- --seed ${seed} --first ${index} --requests 1`
}

function times<Value>(count: number, value: Value): Value[] {
  return Array.from({ length: count }, () => value)
}

function write(bytes: Buffer | string): Step {
  return { kind: 'write', bytes: Buffer.from(bytes) }
}

function aBody(random: Random): Told {
  const bytes = requestOf(random, notifyBody(random))
  return { what: 'a body', port: 'notify', steps: [write(bytes)], answers: 1, isPlain: true }
}

function anAdminBody(random: Random): Told {
  return { what: 'a body', port: 'admin', steps: [write(adminRequest(random))], answers: 1, isPlain: true }
}

function aTrade(random: Random): Told {
  const bytes = requestOf(random, tradeBody(random), { target: '/_hushgate/webpush/fuzz.full' })
  return { what: 'a trade', port: 'notify', steps: [write(bytes)], answers: 1, isPlain: true }
}

function aMessage(random: Random): Told {
  const usual = [
    `TTL: ${random.size(10_000_000)}`,
    `Urgency: ${random.pick(['very-low', 'low', 'normal', 'high'])}`,
    `Topic: ${random.bytes(random.size(24)).toString('base64url')}`,
    'Content-Encoding: aes128gcm',
    `Authorization: ${VAPID}`,
  ]
  const headers = usual.flatMap((header) =>
    random.once(SPOILT_HEADER_ONCE_IN) ? random.pick([[], [header, header], [`${header}x`]]) : [header],
  )
  const bytes = requestOf(random, recordBody(random), { target: ENDPOINT, headers })
  return { what: 'a relayed message', port: 'notify', steps: [write(bytes)], answers: 1, isPlain: true }
}

function adminRequest(random: Random): Buffer {
  const path = random.pick([
    '/api/v1/dead/retry',
    '/api/v1/dead/drop',
    '/api/v1/rejections',
    '/api/v1/forget',
    '/api/v1/pause',
    '/api/v1/resume',
    '/api/v1/status',
    '/api/v1/failures',
    '/api/v1/dead',
    '/readyz',
  ])
  const headers = random.once(TOKEN_MISSING_ONCE_IN) ? [] : [`Authorization: Bearer ${TOKEN}`]
  return requestOf(random, adminBody(random), { target: path, headers })
}

function aPath(random: Random): Told {
  const port = random.pick<Port>(['notify', 'admin'])
  const method = random.pick(['GET', 'GET', 'GET', 'OPTIONS', 'PUT', 'DELETE', 'TRACE', 'PATCH', 'QUERY', 'PURGE'])
  const headers = port === 'admin' ? [`Authorization: Bearer ${TOKEN}`] : []
  const bytes = head(`${method} ${strangeTarget(random, port)} HTTP/1.1`, ...headers)
  return { what: 'a path', port, steps: [write(bytes), { kind: 'end' }], answers: 'any' }
}

function aSpoiltHead(random: Random): Told {
  const port = random.pick<Port>(['notify', 'notify', 'admin'])
  const bytes = port === 'notify' ? requestOf(random, notifyBody(random)) : adminRequest(random)
  const end = bytes.indexOf('\r\n\r\n') + 4
  const spoilt = Buffer.concat([changed(bytes.subarray(0, end), random), bytes.subarray(end)])
  return { what: 'a head with other bytes in it', port, steps: [write(spoilt), { kind: 'end' }], answers: 'any' }
}

function severalAtOnce(random: Random): Told {
  const count = 2 + random.under(MOST_PIPELINED - 1)
  const requests = Array.from({ length: count }, () =>
    random.once(4) ? head('GET /health HTTP/1.1') : requestOf(random, notifyBody(random)),
  )
  return { what: `${count} requests at once`, port: 'notify', steps: [write(Buffer.concat(requests))], answers: count }
}

function hiddenInAnother(random: Random): Told {
  const { what, bytes } = smuggled(random)
  const port = random.pick<Port>(['notify', 'notify', 'notify', 'admin'])
  return { what, port, steps: [write(bytes), { kind: 'end' }], answers: 'refused' }
}

function whatIsNoRequest(random: Random): Told {
  const { what, bytes } = garbage(random)
  return { what, port: random.pick<Port>(['notify', 'admin']), steps: [write(bytes), { kind: 'end' }], answers: 'any' }
}

function slowly(random: Random): Told {
  const bytes = requestOf(random, notifyBody(random))
  const cuts = Array.from({ length: random.size(MOST_PIECES) }, () => random.under(bytes.length)).sort((a, b) => a - b)
  const steps = [0, ...cuts].flatMap((from, at): Step[] => [
    write(bytes.subarray(from, cuts[at] ?? bytes.length)),
    { kind: 'wait', ms: random.under(MOST_WAIT_MS) },
  ])
  return { what: 'a request in pieces', port: 'notify', steps, answers: 1 }
}

function halfOfOne(random: Random): Told {
  const port = random.pick<Port>(['notify', 'notify', 'admin'])
  const bytes = port === 'notify' ? requestOf(random, notifyBody(random)) : adminRequest(random)
  const part = bytes.subarray(0, random.under(bytes.length))
  const kind = random.once(HELD_ONCE_IN) ? 'hold' : random.pick(['end', 'reset'] as const)
  return { what: `half of a request, then ${kind}`, port, steps: [write(part), { kind }], answers: 'any' }
}

function replaced(bytes: Buffer, text: string, by: string): Buffer {
  const parts: Buffer[] = []
  let from = 0
  for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, from)) {
    parts.push(bytes.subarray(from, at), Buffer.from(by))
    from = at + text.length
  }
  return from === 0 ? bytes : Buffer.concat([...parts, bytes.subarray(from)])
}
