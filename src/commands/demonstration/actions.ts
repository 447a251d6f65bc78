/** What the demonstration's page can ask for: each is a button or a choice on it. */
import { PRIVACY_MODES } from '../../core/privacy-policy.ts'

export const ACTIONS = ['message', 'call', 'read', 'dead', 'outage', ...PRIVACY_MODES] as const
export type Action = (typeof ACTIONS)[number]
