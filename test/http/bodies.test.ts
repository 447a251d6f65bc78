import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { Bodies } from '../../src/http/bodies.ts'
import { until } from '../helpers/received.ts'

const KIB = 1024
const LIMITS = { bodyLimitBytes: 64 * KIB, bodyMemoryBytes: 100 * KIB }

let refusals = 0
const createBodies = () => {
  refusals = 0
  return new Bodies(LIMITS, () => (refusals += 1))
}

/** A request that is being read. */
function begin(bodies: Bodies, declaredBytes = Number.NaN) {
  const stream = new PassThrough()
  const done = new Promise<Buffer>((resolve, reject) => {
    bodies.read(stream, declaredBytes, (error, body) => (body === undefined ? reject(error) : resolve(body)))
  })
  const reading = { stream, ended: '', done }
  reading.done.then(
    () => (reading.ended = 'read'),
    (error: { readonly statusCode: number }) => (reading.ended = String(error.statusCode)),
  )
  return reading
}

/** Writes this, and waits until it was taken. */
const send = (stream: PassThrough, bytes: number, pieceBytes = bytes) =>
  new Promise<void>((resolve) => {
    for (let left = bytes; left > 0; left -= pieceBytes) stream.write(Buffer.alloc(Math.min(pieceBytes, left), 'x'))
    stream.write('', () => setImmediate(resolve))
  })

describe('a body', () => {
  it.each([
    [['{"a":1}']],
    [['{', '"a"', ':', '1', '}']],
    [['x'.repeat(5000), 'y', 'z'.repeat(5000), 'ü'.repeat(3000), '!']],
    [[]],
  ])('is what came, in however many pieces (%#)', async (pieces) => {
    const { stream, done } = begin(createBodies())
    for (const piece of pieces) stream.write(piece)
    stream.end()
    expect((await done).toString()).toBe(pieces.join(''))
  })

  it('that came a byte at a time is whole', async () => {
    const { stream, done } = begin(createBodies())
    const text = Array.from({ length: 20_000 }, (_, index) => String.fromCodePoint(97 + (index % 26))).join('')
    for (const letter of text) stream.write(letter)
    stream.end()
    expect((await done).toString()).toBe(text)
  })

  it('that is too large is refused with 413: at its beginning where it says so, else when it is', async () => {
    const bodies = createBodies()
    await expect(begin(bodies, 64 * KIB + 1).done).rejects.toMatchObject({ statusCode: 413 })
    const { stream, done } = begin(bodies)
    await send(stream, 64 * KIB)
    stream.write('x')
    await expect(done).rejects.toMatchObject({ statusCode: 413 })
  })

  it('that breaks off is refused with 400', async () => {
    const { stream, done } = begin(createBodies())
    stream.write('{')
    stream.destroy()
    await expect(done).rejects.toMatchObject({ statusCode: 400 })
  })
})

describe('bodies that together take more memory than there is for them', () => {
  it('lose the one that holds most, not the one that came last', async () => {
    const bodies = createBodies()
    const [small, large, last] = [begin(bodies), begin(bodies), begin(bodies)]
    await send(small.stream, 30 * KIB)
    await send(large.stream, 60 * KIB)
    await send(last.stream, 20 * KIB)
    await until('one is refused', () => large.ended === '503')
    expect([small.ended, last.ended, refusals]).toEqual(['', '', 1])
    small.stream.end()
    last.stream.end()
    expect([(await small.done).length, (await last.done).length]).toEqual([30 * KIB, 20 * KIB])
  })

  it('leave no room for what no homeserver sends, once half is taken: it is not even read', async () => {
    const bodies = new Bodies({ bodyLimitBytes: 512 * KIB, bodyMemoryBytes: 400 * KIB }, () => (refusals += 1))
    refusals = 0
    const first = begin(bodies, 250 * KIB)
    await send(first.stream, 210 * KIB)
    const [large, undeclared, small] = [begin(bodies, 129 * KIB), begin(bodies), begin(bodies, 128 * KIB)]
    await expect(large.done).rejects.toMatchObject({ statusCode: 503 })
    await send(undeclared.stream, 128 * KIB)
    expect(undeclared.ended).toBe('')
    undeclared.stream.write('x')
    await expect(undeclared.done).rejects.toMatchObject({ statusCode: 503 })
    await send(small.stream, 128 * KIB)
    small.stream.end()
    first.stream.end()
    expect([(await small.done).length, (await first.done).length]).toEqual([128 * KIB, 210 * KIB])
    expect(refusals).toBe(2)
    const again = begin(bodies, 129 * KIB)
    again.stream.end(Buffer.alloc(129 * KIB))
    expect(await again.done).toHaveLength(129 * KIB)
  })

  it('take the room of large ones also by what they only say that they will be; one alone may have more than half', async () => {
    const bodies = new Bodies({ bodyLimitBytes: 512 * KIB, bodyMemoryBytes: 400 * KIB }, () => (refusals += 1))
    const first = begin(bodies, 300 * KIB)
    await expect(begin(bodies, 129 * KIB).done).rejects.toMatchObject({ statusCode: 503 })
    const small = begin(bodies, 128 * KIB)
    small.stream.end(Buffer.alloc(128 * KIB))
    first.stream.end(Buffer.alloc(200 * KIB))
    expect([(await small.done).length, (await first.done).length]).toEqual([128 * KIB, 200 * KIB])
    const again = begin(bodies, 129 * KIB)
    again.stream.end(Buffer.alloc(129 * KIB))
    expect(await again.done).toHaveLength(129 * KIB)
  })

  it('give their memory back, whatever became of them', async () => {
    const bodies = createBodies()
    for (let round = 0; round < 10; round += 1) {
      const [read, broken, refused, other] = [begin(bodies), begin(bodies), begin(bodies), begin(bodies)]
      await send(refused.stream, 50 * KIB)
      await send(read.stream, 30 * KIB, 100)
      await send(broken.stream, 10 * KIB)
      await send(other.stream, 20 * KIB)
      read.stream.end()
      other.stream.end()
      broken.stream.destroy()
      await until('all are over', () => [read, broken, refused, other].every(({ ended }) => ended !== ''))
      expect([read.ended, broken.ended, refused.ended, other.ended]).toEqual(['read', '400', '503', 'read'])
    }
  })

  it('cannot hide what they take by coming in small pieces', async () => {
    const bodies = createBodies()
    const readings = Array.from({ length: 20 }, () => begin(bodies))
    for (const { stream } of readings) await send(stream, 8 * KIB, 1)
    expect(readings.filter(({ ended }) => ended === '503').length).toBeGreaterThanOrEqual(7)
  })
})

describe('large bodies that are there at once', () => {
  it('are handed on one by one, and all else between them', async () => {
    const bodies = createBodies()
    const order: string[] = []
    const read = (name: string, bytes: number) =>
      new Promise<void>((resolve) => {
        const stream = new PassThrough()
        bodies.read(stream, bytes, () => {
          order.push(name)
          setImmediate(() => order.push('others'))
          resolve()
        })
        stream.end(Buffer.alloc(bytes))
      })
    await Promise.all(['one', 'two', 'three'].map((name) => read(name, 17 * KIB)))
    expect(order).toEqual(['one', 'others', 'two', 'others', 'three'])
  })

  it('do not keep small ones waiting', async () => {
    const bodies = createBodies()
    const order: string[] = []
    const all = [17 * KIB, 17 * KIB, 16 * KIB].map((bytes) => {
      const { stream, done } = begin(bodies, bytes)
      stream.end(Buffer.alloc(bytes))
      return done.then(() => order.push(bytes > 16 * KIB ? 'large' : 'small'))
    })
    await Promise.all(all)
    expect(order).toEqual(['small', 'large', 'large'])
  })

  it('may be closed meanwhile', async () => {
    const { stream, done } = begin(createBodies())
    stream.end(Buffer.alloc(20 * KIB))
    stream.once('end', () => stream.destroy())
    expect(await done).toHaveLength(20 * KIB)
  })
})
