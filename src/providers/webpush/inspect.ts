/** The mistakes in a Web Push section that its schema cannot express; opens files, no connection. */
import type { OptionMistake } from '../../core/provider.ts'
import { checkHosts } from '../shared/endpoints/check-hosts.ts'
import { checkAddress, mistakesIn, readAuthorities, type Report } from '../shared/inspect.ts'
import { filled } from './declarative.ts'
import type { WebPushOptions } from './options.ts'
import { readVapidKey } from './vapid-key.ts'

const MAIL_ADDRESS = /^mailto:[^\s<>@]+@[^\s<>@]+$/

export function inspect(options: WebPushOptions): Promise<readonly OptionMistake[]> {
  return mistakesIn(async (report) => {
    await readVapidKey(options, report)
    checkSubject(options.vapid_subject, report)
    checkHosts(options.allowed_endpoints, 'allowed_endpoints', report)
    checkHosts(options.allow_private_endpoints, 'allow_private_endpoints', report)
    await readAuthorities(options, report)
    checkAddress(options.endpoint, 'endpoint', 'https://127.0.0.1:8443', report)
    checkDeclarative(options, report)
  })
}

/** What a browser cannot read as an address makes it drop the notification. */
function checkDeclarative({ declarative }: WebPushOptions, report: Report): void {
  const { navigate, navigate_room: ofRoom } = declarative ?? {}
  checkAddress(navigate, 'declarative.navigate', 'https://chat.example.com/', report)
  const example = 'https://chat.example.com/#/room/{room_id}'
  checkAddress(ofRoom && filled(ofRoom, '!room', '$event'), 'declarative.navigate_room', example, report)
}

/** RFC 8292 §2.1 asks for one of the two, Apple refuses tokens without (and those of a local host). */
function checkSubject(subject: string, report: Report): void {
  const url = URL.canParse(subject) ? new URL(subject) : undefined
  const isSite = url?.protocol === 'https:' && url.hostname !== 'localhost'
  if (!isSite && !MAIL_ADDRESS.test(subject))
    report('vapid_subject', 'must be mailto: with an address, or an https address')
}
