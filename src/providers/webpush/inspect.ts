/** The mistakes in a Web Push section that its schema cannot express; opens files, no connection. */
import type { OptionMistake } from '../../core/provider.ts'
import { authorityMistakes, textOf } from '../shared/authorities.ts'
import type { WebPushOptions } from './options.ts'
import { parseVapidKey } from './vapid-key.ts'

const MAIL_ADDRESS = /^mailto:[^\s<>@]+@[^\s<>@]+$/
const HOST_GLOB = /^(?:[\w*?.-]+|\[[\da-f:.*?]+\])$/i

export async function inspect(options: WebPushOptions): Promise<readonly OptionMistake[]> {
  const [key, authorities] = await Promise.all([keyMistakes(options), authorityMistakes(options.ca_file)])
  return [
    ...key,
    ...subjectMistakes(options),
    ...hostMistakes('allowed_endpoints', options.allowed_endpoints ?? []),
    ...hostMistakes('allow_private_endpoints', options.allow_private_endpoints ?? []),
    ...authorities,
    ...endpointMistakes(options),
  ]
}

async function keyMistakes({ vapid_private_key_file: file }: WebPushOptions): Promise<readonly OptionMistake[]> {
  const option = 'vapid_private_key_file'
  const text = await textOf(file)
  if (text === undefined) return [{ option, message: `cannot read ${file}` }]
  const key = parseVapidKey(text)
  return typeof key === 'string' ? [{ option, message: `${file} ${key}` }] : []
}

/** RFC 8292 §2.1 asks for one of the two, Apple refuses tokens without (and those of a local host). */
function subjectMistakes({ vapid_subject: subject }: WebPushOptions): readonly OptionMistake[] {
  const isAddress = MAIL_ADDRESS.test(subject)
  const url = URL.canParse(subject) ? new URL(subject) : undefined
  const isSite = url?.protocol === 'https:' && url.hostname !== 'localhost'
  return isAddress || isSite
    ? []
    : [{ option: 'vapid_subject', message: 'must be mailto: with an address, or an https address' }]
}

function hostMistakes(option: string, globs: readonly string[]): readonly OptionMistake[] {
  return globs
    .filter((glob) => !HOST_GLOB.test(glob))
    .map((glob) => ({ option, message: `${JSON.stringify(glob)} is not the name of a host, such as *.push.apple.com` }))
}

function endpointMistakes({ endpoint }: WebPushOptions): readonly OptionMistake[] {
  return endpoint === undefined || URL.canParse(endpoint)
    ? []
    : [{ option: 'endpoint', message: 'is not an https address such as https://127.0.0.1:8443' }]
}
