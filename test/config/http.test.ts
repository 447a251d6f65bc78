/** What the section `http` means: the secrets of URLs, and who may post. */
import { describe, expect, it } from 'vitest'
import { configFolder, GOOD_APP } from '../helpers/config-folder.ts'

const APPS = `apps:\n${GOOD_APP}\n`
const [OLD, NEW] = ['an-old-secret-of-some-length', 'a-new-secret-of-some-length']

describe('secrets of URLs', () => {
  it('are the lines of a file, so that an old one holds until the last pusher has the new one', async () => {
    await using folder = await configFolder()
    await folder.write('secrets', `${OLD}\n\n  ${NEW}\r\n`)
    const { http, files } = await folder.load(`http: { url_secrets_file: secrets }\n${APPS}`)
    expect(http.doors.secrets?.any.map((secret) => secret.reveal())).toEqual([OLD, NEW])
    expect(http.doors.secrets?.mode).toBe('enforce')
    expect([...files.keys()]).toContain(folder.at('secrets'))
  })

  it.each([
    ['', 'the file is empty; make a secret for it with: hushgate keygen token'],
    ['short\n', 'in a line of the file: the token is shorter than 22 characters'],
    [`${OLD} ${NEW}\n`, 'in a line of the file: the file must hold one token'],
  ])('in a file with %j are refused, and not shown', async (text, sentence) => {
    await using folder = await configFolder()
    await folder.write('secrets', text)
    const [mistake] = await folder.mistakes(`http: { url_secrets_file: secrets }\n${APPS}`)
    expect(mistake).toContain(`1: http.url_secrets_file: ${sentence}`)
    expect(mistake).not.toContain(OLD)
  })

  it('need their file', async () => {
    await using folder = await configFolder()
    expect(await folder.mistakes(`http: { url_secrets_file: none }\n${APPS}`)).toEqual([
      `1: http.url_secrets_file: DIR/none does not exist`,
    ])
  })
})

describe('addresses', () => {
  it.each(['allow_from', 'trust_proxy'])('in %s that are none are refused', async (setting) => {
    await using folder = await configFolder()
    expect(await folder.mistakes(`http: { ${setting}: [192.0.2.0/24, example.org] }\n${APPS}`)).toEqual([
      `1: http.${setting}[1]: expected an address, or a range such as 192.0.2.0/24, found something else`,
    ])
  })
})

describe('limits of sources', () => {
  const limit = (devices: number, bytes: string, more = '') =>
    `limit_per_source: { devices_per_minute: ${devices}, bytes_per_minute: ${bytes}${more} }`

  it('are off unless they are written down', async () => {
    await using folder = await configFolder()
    expect((await folder.load(APPS)).http.doors.limitPerSource).toBeUndefined()
  })

  it.each(['[]', '[192.0.2.7]'])(
    'are taken where it is said who tells the source: trust_proxy: %s',
    async (proxies) => {
      await using folder = await configFolder()
      const { http } = await folder.load(`http: { trust_proxy: ${proxies}, ${limit(600, '6MiB')} }\n${APPS}`)
      expect(http.doors.limitPerSource).toEqual({ mode: 'enforce', devicesPerMinute: 600, bytesPerMinute: 6_291_456 })
    },
  )

  it('are refused where nothing says it: behind a proxy all homeservers would be one', async () => {
    await using folder = await configFolder()
    expect(await folder.mistakes(`http: { ${limit(600, '6MiB', ', mode: observe')} }\n${APPS}`)).toEqual([
      '1: http.limit_per_source: nothing says where requests come from; name your reverse proxies in http.trust_proxy, or write trust_proxy: [] where homeservers connect directly',
    ])
  })

  it('are refused where one request could be beyond them', async () => {
    await using folder = await configFolder()
    expect(await folder.mistakes(`http: { trust_proxy: [], ${limit(99, '511KiB')} }\n${APPS}`)).toEqual([
      '1: http.limit_per_source.devices_per_minute: is less than max_devices, which is 100',
      '1: http.limit_per_source.bytes_per_minute: is less than body_limit, which is 512KiB',
    ])
  })

  it('need both numbers', async () => {
    await using folder = await configFolder()
    const [mistake] = await folder.mistakes(
      `http: { trust_proxy: [], limit_per_source: { devices_per_minute: 600 } }\n${APPS}`,
    )
    expect(mistake).toContain('http.limit_per_source.bytes_per_minute: is missing')
  })
})

it('a list of addresses that is empty lets nobody in, and is refused', async () => {
  await using folder = await configFolder()
  const [mistake] = await folder.mistakes(`http: { allow_from: [] }\n${APPS}`)
  expect(mistake).toContain('http.allow_from: expected a list')
})

it('memory for bodies that is too little for one is refused', async () => {
  await using folder = await configFolder()
  expect(await folder.mistakes(`http: { body_limit: 2MiB, body_memory: 1MiB }\n${APPS}`)).toEqual([
    '1: http.body_memory: is less than body_limit, which is 2MiB',
  ])
})
