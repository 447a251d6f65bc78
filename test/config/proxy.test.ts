import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { routesChanged, restartOnly } from '../../src/config/reload.ts'
import { configFolder, GOOD_APP } from '../helpers/config-folder.ts'

const APPS = `apps:\n${GOOD_APP}\n`
const FORM = 'expected http://host:port, or http://user:password@host:port'
const ESCAPES = `${FORM}; in user and password, characters such as @ : / # % are written as %40 %3A %2F %23 %25`
const REST = 'after host and port nothing may follow; in user and password, / ? # are written as %2F %3F %23'

describe('proxy', () => {
  it.each([
    ['http://proxy:3128', 'proxy', 3128, undefined],
    ['http://proxy:3128/', 'proxy', 3128, undefined],
    ['HTTP://Proxy.Example.org:3128', 'proxy.example.org', 3128, undefined],
    ['http://proxy', 'proxy', 80, undefined],
    ['http://proxy:80', 'proxy', 80, undefined],
    ['http://10.0.0.1:8080', '10.0.0.1', 8080, undefined],
    ['http://[2001:db8::1]:8080', '2001:db8::1', 8080, undefined],
    ['http://user:password@proxy:3128', 'proxy', 3128, 'user:password'],
    ['http://user@proxy:3128', 'proxy', 3128, 'user:'],
    ['http://:password@proxy:3128', 'proxy', 3128, ':password'],
    ['http://a%40b:p%40ss%3Aw%2Fo%23r%25d%20@proxy:1', 'proxy', 1, 'a@b:p@ss:w/o#r%d '],
    ['http://user:p@ss@proxy:1', 'proxy', 1, 'user:p@ss'],
    ['http://user:pä%C3%9F@proxy:1', 'proxy', 1, 'user:päß'],
    ['http://user:a+b&c=d!@proxy:1', 'proxy', 1, 'user:a+b&c=d!'],
  ])('may be %s', async (url, host, port, credentials) => {
    await using folder = await configFolder()
    const { proxy } = await folder.load(`proxy: ${JSON.stringify(url)}\n${APPS}`)
    expect(proxy).toMatchObject({ host, port })
    expect(proxy?.credentials?.reveal()).toBe(credentials)
  })

  it.each([
    ['proxy:3128', ESCAPES],
    ['proxy', ESCAPES],
    ['http://', ESCAPES],
    ['ftp://proxy:3128', ESCAPES],
    ['http://proxy:99999', ESCAPES],
    ['http://user:pa/ss@proxy:3128', ESCAPES],
    ['http://user:1/ss@proxy:3128', REST],
    ['http://proxy:3128/path', REST],
    ['http://proxy:3128?a', REST],
    ['http://user:1#ss@proxy:3128', REST],
    ['http://user:50%@proxy:3128', 'the user or password has a % that begins no escape; write %25'],
    ['http://us%3Aer:password@proxy', 'the name of a user cannot have a colon'],
    ['http://user:pass%0Aword@proxy', 'the user or password has a control character'],
    ['https://proxy:3128', `TLS to the proxy is not supported; ${FORM}. What goes through it is encrypted by itself`],
    ['socks5://proxy:1080', `SOCKS is not supported; ${FORM}`],
    ['', 'expected text, found empty text'],
  ])('may not be %j', async (url, sentence) => {
    await using folder = await configFolder()
    expect(await folder.mistakes(`${APPS}proxy: ${JSON.stringify(url)}\n`)).toEqual([`3: proxy: ${sentence}`])
  })

  it('may not be wrong in a file either', async () => {
    await using folder = await configFolder()
    await folder.write('proxy-url', 'socks5://proxy:1080')
    expect(await folder.mistakes(`${APPS}proxy_file: proxy-url\n`)).toEqual([
      `3: proxy_file: SOCKS is not supported; ${FORM}`,
    ])
  })

  it('comes from a file, too, which is watched; and is printed nowhere', async () => {
    await using folder = await configFolder()
    await folder.write('proxy-url', 'http://user:canary@proxy:3128\n')
    const config = await folder.load(`proxy_file: proxy-url\n${APPS}`)
    expect(config.proxy).toMatchObject({ host: 'proxy', port: 3128 })
    expect(config.files.has(folder.at('proxy-url'))).toBe(true)
    expect(inspect(config, { depth: null }) + JSON.stringify(config)).not.toContain('canary')
  })

  it('is given once', async () => {
    await using folder = await configFolder()
    await folder.write('proxy-url', 'http://proxy:3128')
    expect(await folder.mistakes(`${APPS}proxy: http://proxy:3128\nproxy_file: proxy-url\n`)).toEqual([
      '3: proxy: give proxy or proxy_file, not both',
    ])
    expect(await folder.mistakes(`${APPS}proxy_file: nowhere\n`)).toEqual(['3: proxy_file: DIR/nowhere does not exist'])
  })

  it.each([
    [{ NO_PROXY: 'a.example' }, 'a.example'],
    [{ no_proxy: 'b.example' }, 'b.example'],
    [{ NO_PROXY: 'a.example', no_proxy: 'b.example' }, 'b.example'],
    [{}, undefined],
  ])('is not used for whom the environment %j exempts', async (env, noProxy) => {
    await using folder = await configFolder()
    const { proxy } = await folder.load(`proxy: http://proxy:3128\n${APPS}`, env)
    expect(proxy?.noProxy).toBe(noProxy)
  })

  it('is not taken from the environment', async () => {
    await using folder = await configFolder()
    const env = { HTTPS_PROXY: 'http://proxy:1', https_proxy: 'http://proxy:1', ALL_PROXY: 'http://proxy:1' }
    expect((await folder.load(APPS, env)).proxy).toBeUndefined()
  })

  it.each([
    ['', 'proxy: http://proxy:1\n', true],
    ['proxy: http://proxy:1\n', '', true],
    ['proxy: http://proxy:1\n', 'proxy: http://proxy:2\n', true],
    ['proxy: http://a:b@proxy:1\n', 'proxy: http://a:c@proxy:1\n', true],
    ['proxy: http://a:b@proxy:1\n', 'proxy: http://%61:b@proxy:1\n', false],
  ])('from %j to %j opens every app anew: %s', async (before, after, isChange) => {
    await using folder = await configFolder()
    const [one, other] = [await folder.load(before + APPS), await folder.load(after + APPS)]
    expect([...routesChanged(one, other)]).toEqual(isChange ? ['com.example.good'] : [])
    expect(restartOnly(one, other)).toEqual([])
  })
})
