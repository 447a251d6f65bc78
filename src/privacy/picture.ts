/** The way of a notification as a picture: homeserver, gateway, push service, phone. Drawn in the page itself, in the colours of its text. */
import { capital, text } from './html.ts'

interface Station {
  readonly icon: string
  readonly name: readonly string[]
}

const SERVER =
  '<rect x="-16" y="-14" width="32" height="11" rx="2"/><rect x="-16" y="2" width="32" height="11" rx="2"/><path d="M-10-8h.1M-10 8h.1"/>'
const GATE = '<path d="M0-17 15-11V1C15 9 9 14 0 18-9 14-15 9-15 1v-12z"/><path d="M-6 0-2 5 7-5"/>'
const CLOUD = '<path d="M-12 11a8 8 0 0 1-1-16 11 11 0 0 1 21-2 9 9 0 0 1 3 18z"/>'
const PHONE = '<rect x="-10" y="-17" width="20" height="34" rx="4"/><path d="M-2 12h4"/>'

/** `names`: the push services, as their own sentences begin. */
export function picture(names: readonly string[]): string {
  const services = [...new Set(names.map((name) => capital(name.replace(/^The /, ''))))]
  const shown = services.length > 3 ? [...services.slice(0, 2), 'and others'] : services
  const stations: readonly Station[] = [
    { icon: SERVER, name: ['Your', 'homeserver'] },
    { icon: GATE, name: ['This', 'gateway'] },
    { icon: CLOUD, name: shown },
    { icon: PHONE, name: ['Your', 'device'] },
  ]
  const label = `The way of a notification: your homeserver, then this gateway, then ${services.join(' or ')}, then your device.`
  return `<svg viewBox="0 0 340 84" role="img" aria-label="${text(label)}" fill="none" stroke="currentColor" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round">
${stations.map(drawn).join('\n')}</svg>`
}

function drawn({ icon, name }: Station, index: number): string {
  const [x, isOurs] = [40 + index * 87, index === 1]
  const arrow = index === 3 ? '' : `<path class="arrow" d="M${x + 27} 22h32m-6-5 6 5-6 5"/>`
  const lines = name.map((line, row) => `<text x="${x}" y="${54 + row * 13}">${text(line)}</text>`)
  return `<g${isOurs ? ' class="ours"' : ''}><g transform="translate(${x} 22)">${icon}</g>${lines.join('')}</g>${arrow}`
}
