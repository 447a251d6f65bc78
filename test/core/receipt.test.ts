/** What became of the last push to a device, as it is written down and read. */
import { describe, expect, it } from 'vitest'
import { decodeReceipt, encodeReceipt, receiptOf, routeMark, type Receipt } from '../../src/core/receipt.ts'
import { NOTE_BYTES } from '../../src/store/note.ts'

const MINUTE_MS = 60_000
const AT_MS = Date.UTC(2026, 6, 20, 12, 34)
const RECEIPT: Receipt = {
  acceptedAtMs: AT_MS,
  attemptedAtMs: AT_MS + MINUTE_MS,
  attempt: 3,
  result: 'delivered',
  word: '0:1500415314455276%31bd1c9631bd1c96',
  routeMark: routeMark('com.example.app'),
}

describe('a receipt', () => {
  it('is read as it was written, with times in whole minutes', () => {
    const written = encodeReceipt({ ...RECEIPT, acceptedAtMs: AT_MS + 59_999 })
    expect(decodeReceipt(written)).toEqual(RECEIPT)
  })

  it('has room for any word and any number, in plain ASCII', () => {
    const text = encodeReceipt({ ...RECEIPT, attempt: 1e9, word: 'é,\n'.repeat(100) })
    expect(text.length).toBeLessThanOrEqual(NOTE_BYTES)
    expect(text).toMatch(/^[\u0020-\u007E]+$/)
    expect(decodeReceipt(text)).toMatchObject({ result: 'delivered', attempt: 9999 })
  })

  it('of another version is none', () => {
    for (const text of ['', 'nonsense', '1,2,3,9,abc,word', '?,2,3,0,abc,word'])
      expect(decodeReceipt(text)).toBeUndefined()
  })

  it('says the name that the push service gave, or its reason, and is not written where nothing was attempted', () => {
    const facts = { acceptedAtMs: AT_MS, attemptedAtMs: AT_MS, attempt: 1, routeMark: '' }
    expect(receiptOf({ kind: 'delivered', serviceId: 'name' }, facts)?.word).toBe('name')
    expect(receiptOf({ kind: 'delivered' }, facts)?.word).toBe('')
    expect(receiptOf({ kind: 'rejected', reason: 'Unregistered' }, facts)).toMatchObject({
      result: 'rejected',
      word: 'Unregistered',
    })
    expect(receiptOf({ kind: 'dropped', reason: 'own network' }, facts)).toBeUndefined()
  })
})
