import { inspect } from 'node:util'
import { Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { Secret } from '../src/core/secret.ts'
import { createLog, describeError } from '../src/log.ts'

function logged(format: 'json' | 'text', write: (log: ReturnType<typeof createLog>) => void): string {
  let text = ''
  const output = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString()
      done()
    },
  })
  write(createLog({ level: 'debug', format }, output))
  return text
}

describe('the log', () => {
  it('describes an error by its name, code and place, never by its message', () => {
    const error = Object.assign(new TypeError('token abc was refused'), {
      code: 'ECONNREFUSED',
      response: { token: 'abc' },
    })
    const text = logged('json', (log) => log.error('It failed', error))
    expect(JSON.parse(text)).toMatchObject({
      level: 'error',
      msg: 'It failed',
      error: 'TypeError',
      code: 'ECONNREFUSED',
      at: expect.stringContaining('log.test.ts'),
    })
    expect(text).not.toContain('abc')
  })

  it('does not take a line of the message for the place', () => {
    const { at } = describeError(new Error('refused:\n    at @alice:example.org'))
    expect(at).toContain('log.test.ts')
    expect(at).not.toContain('alice')
  })

  it('takes no place from a stack whose message was replaced', () => {
    const error = new Error('refused:\n    at @alice (file:///x:1:2)')
    error.message = 'Refused'
    expect(JSON.stringify(describeError(error))).not.toContain('alice')
  })

  it('leaves out a name that is no name', () => {
    expect(describeError(Object.assign(new Error('x'), { name: 'of @alice' }))).toMatchObject({ error: 'Error' })
  })

  it.each(['a string abc', { token: 'abc' }, null])('describes whatever else was thrown by its type: %j', (thrown) => {
    expect(JSON.stringify(describeError(thrown))).not.toContain('abc')
  })

  it('leaves out a code that is no code', () => {
    expect(describeError(Object.assign(new Error('x'), { code: 'user @alice' }))).toMatchObject({ code: undefined })
  })

  it('writes lines for people with format: text', () => {
    expect(logged('text', (log) => log.warn('Careful', { app: 'com.example', attempt: 2 }))).toMatch(
      /^\S+Z WARN {2}Careful app=com\.example attempt=2\n$/,
    )
  })
})

describe('a secret', () => {
  it('shows itself to nothing that prints', () => {
    const secret = new Secret('abc')
    const printed = [
      String(secret),
      secret.toString(),
      JSON.stringify({ secret }),
      inspect(secret),
      inspect({ deep: { secret } }, { depth: 9, showHidden: true }),
    ]
    expect(printed.join()).not.toContain('abc')
    expect(secret.reveal()).toBe('abc')
  })
})
