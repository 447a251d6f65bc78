import { describe, expect, it } from 'vitest'
import { parseCluster, parseStoreUrl } from '../../src/config/store-url.ts'

const node = (host: string, port: number) => ({ host, port })

describe('parseStoreUrl', () => {
  it.each([
    ['sqlite:./data/x.db', './data/x.db'],
    ['sqlite:x.db', 'x.db'],
    ['sqlite:/var/lib/x.db', '/var/lib/x.db'],
    ['sqlite:///var/lib/x.db', '/var/lib/x.db'],
  ])('takes %s for a file', (url, path) => {
    expect(parseStoreUrl(url)).toEqual({ kind: 'sqlite', path })
  })

  it.each([
    ['redis://r', { topology: { kind: 'single', node: node('r', 6379), database: 0 }, tls: false }],
    ['redis://r:7000/', { topology: { kind: 'single', node: node('r', 7000), database: 0 }, tls: false }],
    ['rediss://[::1]:7000/12', { topology: { kind: 'single', node: node('::1', 7000), database: 12 }, tls: true }],
    ['redis://u:p%40ss@r', { username: 'u', password: 'p@ss' }],
    ['redis://:p@r', { username: undefined, password: 'p' }],
    [
      'redis+sentinel://a,b:1234,[::1]/main',
      {
        topology: {
          kind: 'sentinel',
          sentinels: [node('a', 26_379), node('b', 1234), node('::1', 26_379)],
          masterName: 'main',
          database: 0,
        },
        tls: false,
      },
    ],
    ['redis+sentinel://u:p@a/main/3', { username: 'u', password: 'p', topology: { masterName: 'main', database: 3 } }],
    ['rediss+sentinel://a/main', { tls: true }],
  ])('takes %s apart', (url, parsed) => {
    expect(parseStoreUrl(url)).toMatchObject({ kind: 'redis', ...parsed })
  })

  it.each([
    'postgres://p',
    'sqlite:',
    'sqlite:./',
    'sqlite::memory:',
    'sqlite://host',
    'sqlite:./x?mode=ro',
    'redis:r',
    'redis://',
    'redis://r/name',
    'redis://r?family=6',
    'redis://r:99999',
    'redis://%zz@r',
    'redis+sentinel://a',
    'redis+sentinel://a,/main',
    'redis+sentinel://a/main/x',
  ])('refuses %s with a sentence', (url) => {
    expect(parseStoreUrl(url)).toBeTypeOf('string')
  })
})

describe('parseCluster', () => {
  it('takes the nodes together', () => {
    expect(parseCluster(['rediss://u:p@a:1', 'rediss://u:p@b:2'])).toEqual({
      kind: 'redis',
      topology: { kind: 'cluster', nodes: [node('a', 1), node('b', 2)] },
      tls: true,
      username: 'u',
      password: 'p',
    })
  })

  it.each([
    [['redis://a', 'rediss://b']],
    [['redis://a/1']],
    [['redis://:p@a', 'redis://:q@b']],
    [['sqlite:./x']],
    [['redis+sentinel://a/main']],
  ])('refuses %j with a sentence', (urls) => {
    expect(parseCluster(urls)).toBeTypeOf('string')
  })
})
