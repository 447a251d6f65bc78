/** What is wrong with a store, for `check --online`: sentences that say what to do. Stores nothing that stays. */
import type { StoreSettings } from './settings.ts'

export async function checkStore(settings: StoreSettings, nowMs: number): Promise<readonly string[]> {
  if (settings.kind === 'redis') return (await import('./redis/check.ts')).checkRedis(settings, nowMs)
  return (await import('./sqlite/check.ts')).checkSqlite(settings)
}
