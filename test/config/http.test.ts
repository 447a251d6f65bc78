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

it('memory for bodies that is too little for one is refused', async () => {
  await using folder = await configFolder()
  expect(await folder.mistakes(`http: { body_limit: 2MiB, body_memory: 1MiB }\n${APPS}`)).toEqual([
    '1: http.body_memory: is less than body_limit, which is 2MiB',
  ])
})
