import { describe, expect, it } from 'vitest'
import { parseDurationMs, parseSizeBytes } from '../../src/config/units.ts'

describe('parseDurationMs', () => {
  it.each([
    ['500ms', 500],
    ['60s', 60_000],
    ['5m', 300_000],
    ['24h', 86_400_000],
    ['7d', 604_800_000],
    ['24', undefined],
    ['1.5h', undefined],
    ['-1s', undefined],
    ['1 h', undefined],
    ['1H', undefined],
    ['1constructor', undefined],
    ['1s\n', undefined],
    ['', undefined],
  ])('of %j is %j', (text, ms) => {
    expect(parseDurationMs(text)).toBe(ms)
  })
})

describe('parseSizeBytes', () => {
  it.each([
    ['100B', 100],
    ['512KiB', 524_288],
    ['1MiB', 1_048_576],
    ['2GiB', 2_147_483_648],
    ['1MB', undefined],
    ['1mib', undefined],
    ['1', undefined],
  ])('of %j is %j', (text, bytes) => {
    expect(parseSizeBytes(text)).toBe(bytes)
  })
})
