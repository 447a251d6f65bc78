import { describe, expect, it } from 'vitest'
import { StoreUnavailableError } from '../../src/core/errors.ts'
import { WakeUps } from '../../src/memory/wake-ups.ts'

const OWNER = { route: 'com.example.app', deviceHash: 'device' }
const WINDOW_MS = 10_000
const away = () => Promise.reject(new StoreUnavailableError('away'))

describe('a wake-up', () => {
  it('leaves at once when the memory does not answer, rather than be refused', async () => {
    const wakeUps = new WakeUps({ get: away, set: away, setIfAbsent: away, delete: away }, () => 'id')
    expect(await wakeUps.plan(OWNER, 'key', 1000, WINDOW_MS)).toBe(1000)
    expect(await wakeUps.plannedMs(OWNER, 'key')).toBeUndefined()
  })

  it('leaves at once when that it waits cannot be remembered', async () => {
    const known = { get: away, set: away, setIfAbsent: async () => '1000 other', delete: away }
    expect(await new WakeUps(known, () => 'id').plan(OWNER, 'key', 2000, WINDOW_MS)).toBe(2000)
  })
})
