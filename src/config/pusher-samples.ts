/** Whether each push service of an app can be chosen at all, tried on pushers of every form. Pure. */
import type { JsonObject } from '../core/json.ts'
import { isMatch } from '../core/pusher-match.ts'
import type { RouteConfig } from './config.ts'
import { kindOf, type ProviderKinds } from './schema.ts'

type Entry = Pick<RouteConfig, 'provider' | 'when'>

interface Sample {
  readonly pushkey: string
  readonly data: JsonObject
}

const ENDPOINT = 'https://push.example.org/endpoint'
const FORMS: readonly Sample[] = [
  { pushkey: 'token', data: {} },
  { pushkey: 'key', data: { endpoint: ENDPOINT, auth: 'auth' } },
  { pushkey: ENDPOINT, data: {} },
  { pushkey: ENDPOINT, data: { p256dh: 'key', auth: 'auth' } },
  { pushkey: JSON.stringify({ endpoint: ENDPOINT, keys: { p256dh: 'key', auth: 'auth' } }), data: {} },
]

/** The entries that are never chosen, and the push service before each that gets what it could. */
export function findUnreachable(
  entries: readonly Entry[],
  kinds: ProviderKinds,
): readonly { readonly index: number; readonly by: string }[] {
  return entries.flatMap((entry, index) => {
    const own = samplesFor(entry).filter((sample) => isFor(entry, sample, kinds))
    const before = entries.slice(0, index)
    const takers = own.map((sample) => before.find((other) => isFor(other, sample, kinds)))
    const [taker] = takers
    return taker !== undefined && takers.every((each) => each !== undefined) ? [{ index, by: taker.provider }] : []
  })
}

/** Also with the data that it is chosen by. */
function samplesFor({ when }: Entry): readonly Sample[] {
  return FORMS.map(({ pushkey, data }) => ({ pushkey, data: { ...data, ...when?.data } }))
}

function isFor({ provider, when }: Entry, { pushkey, data }: Sample, kinds: ProviderKinds): boolean {
  return when === undefined ? (kindOf(kinds, provider).isOwn?.(pushkey, data) ?? true) : isMatch(when, pushkey, data)
}
