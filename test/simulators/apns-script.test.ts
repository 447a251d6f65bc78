import { describe, expect, it } from 'vitest'
import { parseScript, SCRIPT_OPTIONS, ScriptedAnswers } from '../../src/simulators/script.ts'

describe('an answer scripted by a device token', () => {
  it.each([
    ['xs503-phone', { status: 503 }],
    ['xrUnregistered-1', { reason: 'Unregistered' }],
    ['xs429.a2.n1-phone-1', { status: 429, retryAfter: '2', times: 1 }],
    ['xo1.rUnregistered-1', { acceptedFirst: 1, reason: 'Unregistered' }],
    ['xaFri-1', { retryAfter: 'Fri' }],
    ['xd50-1', { delayMs: 50 }],
    ['xhang-1', { hang: true }],
    ['xrst.n1-1', { reset: true, times: 1 }],
    ['xs500.goaway-1', { status: 500, goaway: true }],
    ['xs410.nobody-1', { status: 410, emptyBody: true }],
    ['xs200.badjson-1', { status: 200, badJson: true }],
  ])('%s: %j', (text, script) => {
    expect(parseScript(text)).toEqual(script)
  })

  it.each(['', 'phone', 'x', 'x-1', 'xs503', 'xylophone-1', 's503-1', 'xs-1', 'xr-1'])(
    '%j is an ordinary token',
    (text) => {
      expect(parseScript(text)).toBeUndefined()
    },
  )

  it.each(Object.keys(SCRIPT_OPTIONS))('%s, as people are told, is an option', (option) => {
    expect(parseScript(`x${option}-phone`)).toBeDefined()
  })

  it('applies as often as it says, counted per token', () => {
    const answers = new ScriptedAnswers()
    const statuses = (text: string) => [1, 2, 3].map(() => answers.next(text)?.status)
    expect(statuses('xs503.n2-a')).toEqual([503, 503, undefined])
    expect(statuses('xs503.n1-b')).toEqual([503, undefined, undefined])
    expect(statuses('xs503-c')).toEqual([503, 503, 503])
    expect(statuses('xo1.s410-d')).toEqual([undefined, 410, 410])
    expect(statuses('xo1.s410.n1-e')).toEqual([undefined, 410, undefined])
  })

  it('is one for all tokens while that is asked for, and then goes on where it was', () => {
    const answers = new ScriptedAnswers()
    const next = () => ['xs410.n1-a', 'phone'].map((text) => answers.next(text))
    answers.answerAll('s503.a2')
    expect(next()).toEqual([
      { status: 503, retryAfter: '2' },
      { status: 503, retryAfter: '2' },
    ])
    answers.answerAll(undefined)
    expect(next()).toEqual([{ status: 410, times: 1 }, undefined])
  })
})
