import { describe, expect, it } from 'vitest'
import { DistinctMembers } from '../../src/store/sqlite/distinct-members.ts'

function membersOf(start: number, end: number): DistinctMembers {
  const members = new DistinctMembers()
  for (let index = start; index < end; index += 1) members.add(`member-${index}`)
  return members
}

describe('counting distinct members', () => {
  it.each([0, 1, 2, 500, 1024])('is exact for %i', (size) => {
    const members = membersOf(0, size)
    members.addAll(membersOf(0, size))
    expect(members.count()).toBe(size)
  })

  // 0.81 % is one standard error of 2^14 registers; hashes are fixed, so these are no gambles.
  it.each([1025, 5000, 20_000, 40_000, 100_000, 300_000])('is within 2 % for %i', (size) => {
    expect(Math.abs(membersOf(0, size).count() / size - 1)).toBeLessThan(0.02)
  })

  it.each([
    { name: 'two few', first: [0, 600], second: [300, 900], union: 900 },
    { name: 'a few and many', first: [0, 600], second: [300, 20_000], union: 20_000 },
    { name: 'many and a few', first: [0, 20_000], second: [19_800, 20_200], union: 20_200 },
    { name: 'two many', first: [0, 30_000], second: [15_000, 45_000], union: 45_000 },
  ] as const)('counts $name together as if they were one', ({ first, second, union }) => {
    const members = membersOf(first[0], first[1])
    members.addAll(membersOf(second[0], second[1]))
    expect(members.count()).toBe(membersOf(0, union).count())
  })
})
