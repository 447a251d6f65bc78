import { expect, it } from 'vitest'
import { UnknownApps } from '../../src/activity/unknown-apps.ts'

it('counts the app_ids that nobody configured, the most frequent first', () => {
  const unknown = new UnknownApps()
  unknown.note('com.example.rare', 1000)
  unknown.note('com.example.ios', 2000)
  unknown.note('com.example.ios', 3000)
  expect(unknown.list()).toEqual([
    { appId: 'com.example.ios', count: 2, firstSeenAtMs: 2000, lastSeenAtMs: 3000 },
    { appId: 'com.example.rare', count: 1, firstSeenAtMs: 1000, lastSeenAtMs: 1000 },
  ])
})

it('holds 50, and a stranger who makes them up does not push out one that comes again and again', () => {
  const unknown = new UnknownApps()
  for (let each = 0; each < 10_000; each += 1) {
    unknown.note(`made-up.${each}`, each)
    if (each % 40 === 0) unknown.note('com.example.mistyped', each)
  }
  expect(unknown.list()).toHaveLength(50)
  expect(unknown.list()[0]).toMatchObject({ appId: 'com.example.mistyped', count: 250 })
})

it('holds the first 128 characters of a long one', () => {
  const unknown = new UnknownApps()
  unknown.note('x'.repeat(1_000_000), 1)
  expect(unknown.list()[0]?.appId).toBe(`${'x'.repeat(128)}…`)
})
