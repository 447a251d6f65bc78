/** Which ports the demonstration takes where somebody else has them. */
import { expect, it } from 'vitest'
import { onFreePorts, type Ports } from '../../src/commands/demonstration/ports.ts'
import { PortInUseError, type ListeningSection } from '../../src/listen.ts'

/** A start that fails so often because of a port, each time another's. */
function startAfter(taken: readonly ListeningSection[]) {
  const tried: Ports[] = []
  const start = async (ports: Ports): Promise<Ports> => {
    const section = taken[tried.push(ports) - 1]
    if (section === undefined) return ports
    throw new PortInUseError(section, { path: `${section}.port`, file: '', message: 'taken' })
  }
  return { tried, start }
}

it('the usual ones where they are free', async () => {
  expect(await onFreePorts(startAfter([]).start)).toEqual({ http: 5000, admin: 5001 })
})

it('another one in the place of each that somebody had when it was to be used, and again', async () => {
  const { tried, start } = startAfter(['http', 'http', 'admin'])
  const used = await onFreePorts(start)
  expect(tried.map(({ admin }) => admin).slice(0, 3)).toEqual([5001, 5001, 5001])
  expect(tried).toHaveLength(4)
  expect(tried.at(-1)).toBe(used)
  for (const port of Object.values(used)) expect(port).toBeGreaterThanOrEqual(10_000)
})

it('gives up with the sentence about the port, and at once where it fails for another reason', async () => {
  const never = startAfter(Array.from({ length: 100 }, () => 'admin'))
  await expect(onFreePorts(never.start)).rejects.toThrow('admin.port: taken')
  expect(never.tried.length).toBeLessThan(100)
  let count = 0
  const broken = onFreePorts(async () => {
    count++
    throw new Error('broken')
  })
  await expect(broken).rejects.toThrow('broken')
  expect(count).toBe(1)
})
