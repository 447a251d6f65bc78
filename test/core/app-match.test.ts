import { array, assert, constantFrom, property } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileApps, overlap } from '../../src/core/app-match.ts'

describe('compileApps', () => {
  it('takes an exact name before a glob that matches too', () => {
    const appFor = compileApps(['com.example.*', 'com.example.ios'])
    expect(appFor('com.example.ios')).toBe('com.example.ios')
    expect(appFor('com.example.android')).toBe('com.example.*')
  })

  it('knows no app for an app_id that two globs match, unless it is the name of one', () => {
    const appFor = compileApps(['com.example.*', '*.ios', 'com.example.b.ios'])
    expect(appFor('com.example.a.ios')).toBeUndefined()
    expect(appFor('com.example.b.ios')).toBe('com.example.b.ios')
    expect(appFor('com.example.a')).toBe('com.example.*')
    expect(compileApps(['a.*', 'a?*'])('a.*')).toBe('a.*')
  })

  it.each([
    ['com.example.*', 'com.example.ios.prod', true],
    ['com.example.*', 'com.example.', true],
    ['com.example.*', 'com.example', false],
    ['com.example.*', 'COM.example.ios', false],
    ['com?example', 'com.example', true],
    ['com?example', 'comexample', false],
    ['com?example', 'com..example', false],
    ['?', '🐦', true],
    ['a*b*c', 'a-b-b-c', true],
    ['a*b*c', 'a-b-b', false],
    ['*.ios', 'com.example.ios\n', false],
    ['*.ios', 'com\nexample.ios', false],
    ['com.example', 'com.example\n', false],
    ['a.b*', 'axb', false],
    ['(a+)+*', 'aaaa', false],
    ['*', '', true],
  ])('says whether %j matches %j', (name, appId, expected) => {
    expect(compileApps([name])(appId)).toBe(expected ? name : undefined)
  })

  it('does not take a name of Object for an app', () => {
    expect(compileApps(['com.example.ios'])('constructor')).toBeUndefined()
  })

  it('agrees with a regular expression on any glob and app_id', () => {
    const symbols = array(constantFrom('a', 'b', '.', '*', '?'), { maxLength: 8 }).map((list) => `*${list.join('')}`)
    const appId = array(constantFrom('a', 'b', '.', '\n'), { maxLength: 10 }).map((list) => list.join(''))
    assert(
      property(symbols, appId, (glob, id) => {
        expect(compileApps([glob])(id) !== undefined).toBe(regularExpression(glob).test(id) && !id.includes('\n'))
      }),
    )
  })

  it('stays fast on an app_id made to be slow', () => {
    const appFor = compileApps([`${'*a'.repeat(60)}b`])
    const started = performance.now()
    expect(appFor('a'.repeat(255))).toBeUndefined()
    expect(appFor('a'.repeat(500_000))).toBeUndefined()
    expect(performance.now() - started).toBeLessThan(2000)
  })
})

describe('overlap', () => {
  it.each([
    ['com.example.*', '*.ios', 'com.example.ios'],
    ['com.example.ios.*', 'com.example.android.*', undefined],
    ['com.example.*', 'com.example.ios.*', 'com.example.ios.'],
    ['a?', '?b', 'ab'],
    ['a?', 'a', undefined],
    ['a*c', 'ab*', 'abc'],
    ['a*b', '*c', undefined],
    ['*', '?', 'x'],
    ['*a*', '*b*', 'ab'],
    ['???', '??', undefined],
  ])('of %j and %j is %j', (a, b, example) => {
    const found = overlap(a, b)
    expect(found?.length).toBe(example?.length)
    for (const glob of example === undefined ? [] : [a, b]) expect(compileApps([glob])(found ?? '')).toBe(glob)
  })

  it('finds an example exactly when some app_id matches both', () => {
    const glob = array(constantFrom('a', 'b', '*', '?'), { maxLength: 5 }).map((symbols) => symbols.join(''))
    const texts = everyText(['a', 'b'], 6)
    assert(
      property(glob, glob, (a, b) => {
        const [first, second] = [regularExpression(a), regularExpression(b)]
        const example = overlap(a, b)
        const candidates = example === undefined ? texts : [example]
        expect(candidates.some((text) => first.test(text) && second.test(text))).toBe(example !== undefined)
      }),
      { numRuns: 300 },
    )
  })
})

function regularExpression(glob: string): RegExp {
  const source = glob.replaceAll('.', '\\.').replaceAll('?', '[^]').replaceAll('*', '[^]*')
  return new RegExp(`^${source}$`, 'u')
}

function everyText(characters: readonly string[], maxLength: number): string[] {
  let level = ['']
  const texts = ['']
  for (let length = 1; length <= maxLength; length += 1) {
    level = level.flatMap((text) => characters.map((character) => text + character))
    texts.push(...level)
  }
  return texts
}
