/** What kubectl and Helm send instead of JSON when they write a Namespace or a Secret: as much of Kubernetes' protobuf as is in those. Pure. */
import type { JsonObject } from '../../../../src/core/json.ts'
import { Refusal } from './objects.ts'

const MAGIC = 'k8s\0'

type Fields = ReadonlyMap<number, readonly Buffer[]>

/** Refuses what it does not know, so that nothing of an object is lost. */
export function objectIn(body: Buffer): JsonObject {
  if (body.toString('latin1', 0, MAGIC.length) !== MAGIC) throw refused('no object')
  const envelope = fieldsIn(body.subarray(MAGIC.length), [1, 2, 3, 4])
  const type = fieldsIn(one(envelope, 1), [1, 2])
  const kind = text(type, 2)
  const common = { apiVersion: text(type, 1), kind }
  const raw = one(envelope, 2)
  // Its spec and status are empty.
  if (kind === 'Namespace') return { ...common, metadata: metadataIn(fieldsIn(raw, [1, 2, 3])) }
  if (kind !== 'Secret') throw refused(kind)
  const secret = fieldsIn(raw, [1, 2, 3])
  const data = entriesIn(secret, 2).map(([key, value]) => [key, value.toString('base64')])
  return { ...common, metadata: metadataIn(secret), data: Object.fromEntries(data), type: text(secret, 3) || 'Opaque' }
}

function metadataIn(object: Fields): JsonObject {
  // 8: when it was created, which is never.
  const metadata = fieldsIn(one(object, 1), [1, 2, 3, 4, 5, 6, 7, 8, 11])
  const labels = entriesIn(metadata, 11).map(([key, value]) => [key, value.toString()])
  const namespace = text(metadata, 3)
  return {
    name: text(metadata, 1),
    ...(namespace === '' ? {} : { namespace }),
    ...(labels.length === 0 ? {} : { labels: Object.fromEntries(labels) }),
  }
}

function entriesIn(fields: Fields, number: number): readonly (readonly [string, Buffer])[] {
  return (fields.get(number) ?? []).map((entry) => {
    const parts = fieldsIn(entry, [1, 2])
    return [text(parts, 1), one(parts, 2)] as const
  })
}

/** Numbers are skipped: those of a new object are 0. */
function fieldsIn(message: Buffer, known: readonly number[]): Fields {
  const fields = new Map<number, Buffer[]>()
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = message.readUInt8(at)
      at += 1
      value += (byte % 128) * factor
      if (byte < 128) return value
    }
  }
  while (at < message.length) {
    const key = varint()
    const number = Math.floor(key / 8)
    const isNumber = key % 8 === 0
    if (!known.includes(number) || !(isNumber || key % 8 === 2)) throw refused(`the field ${number}`)
    const length = varint()
    if (isNumber) continue
    fields.set(number, [...(fields.get(number) ?? []), message.subarray(at, at + length)])
    at += length
  }
  return fields
}

function one(fields: Fields, number: number): Buffer {
  return fields.get(number)?.[0] ?? Buffer.alloc(0)
}

function text(fields: Fields, number: number): string {
  return one(fields, number).toString()
}

function refused(what: string): Refusal {
  return new Refusal(415, 'UnsupportedMediaType', `${what} in protobuf`)
}
