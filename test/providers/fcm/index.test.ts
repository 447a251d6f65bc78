import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Value } from 'typebox/value'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isJsonObject } from '../../../src/core/json.ts'
import { fcm, type FcmOptions } from '../../../src/providers/fcm/index.ts'
import { createAuthority } from '../../../src/simulators/certificate.ts'
import { createServiceAccount } from '../../../src/simulators/fcm-authorization.ts'

const account = createServiceAccount('example-project', 'https://oauth2.googleapis.com/token')
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hushgate-fcm-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function fileWith(content: unknown): Promise<string> {
  const path = join(folder, `${Math.random().toString(36).slice(2)}.json`)
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

/** Each mistake as `option: message`, with the folder left out. */
async function mistakesIn(content: unknown, options: Partial<FcmOptions> = {}): Promise<string[]> {
  const mistakes = await fcm.inspect({ service_account_file: await fileWith(content), ...options })
  return mistakes.map(({ option, message }) => `${option}: ${message}`)
}

describe('the section of an FCM app', () => {
  it('is right with a service account alone', async () => {
    expect(await mistakesIn(account)).toEqual([])
    expect(Value.Check(fcm.options, { service_account_file: 'sa.json' })).toBe(true)
  })

  it.each([
    ['a project that is a path', { project_id: 'a/b' }],
    ['an unknown target', { target: 'topic' }],
    ['an endpoint without TLS', { endpoint: 'http://fcm.example.org' }],
    ['an endpoint with a path', { endpoint: 'https://fcm.example.org/v1' }],
    ['a word of Sygnal', { api_version: 'v1' }],
  ])('may not have %s', (_what, options) => {
    expect(Value.Check(fcm.options, { service_account_file: 'sa.json', ...options })).toBe(false)
  })

  it('describes each option', () => {
    for (const option of Object.values(fcm.options.properties))
      expect(isJsonObject(option) && typeof option['description'] === 'string').toBe(true)
  })

  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const ecKey = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  it.each([
    ['text', 'service account', /is not JSON/],
    ['the login of a person', { ...account, type: 'authorized_user' }, /not the key of a service account/],
    ['no address', { ...account, client_email: '' }, /no "client_email"/],
    ['half a key', { ...account, private_key: account.private_key.slice(0, 100) }, /cannot be read/],
    ['a key of another kind', { ...account, private_key: ecKey }, /not an RSA key/],
    ['a token endpoint without TLS', { ...account, token_uri: 'http://x' }, /"token_uri"/],
  ])('tells of a service account that holds %s', async (_what, content, mistake) => {
    const found = await mistakesIn(content)
    expect(found).toHaveLength(1)
    expect(found[0]).toMatch(mistake)
    expect(found[0]).not.toContain('PRIVATE KEY')
  })

  it('tells of everything at once', async () => {
    const options: FcmOptions = {
      service_account_file: join(folder, 'none.json'),
      ca_file: await fileWith('no certificate'),
      options: {
        token: 'x',
        topic: 'x',
        priority: 'high',
        data: {},
        notification: 'x',
        android: { data: {}, ttl: 60 },
      },
    }
    const mistakes = await fcm.inspect(options)
    expect(mistakes.map(({ option }) => option)).toEqual([
      'service_account_file',
      'ca_file',
      'options.token',
      'options.topic',
      'options.priority',
      'options.data',
      'options.notification',
      'options.android.data',
      'options.android.ttl',
    ])
  })

  it('needs a project from one side or the other', async () => {
    const { project_id: _project, ...without } = account
    expect(await mistakesIn(without)).toEqual(['project_id: is needed: the service account names no project'])
    expect(await mistakesIn(without, { project_id: 'example-project' })).toEqual([])
  })

  it('takes the options of Sygnal, but not so many that no room is left', async () => {
    const options = {
      android: { ttl: '3600s', notification: { title: 'x' } },
      apns: { payload: { aps: { alert: '' } } },
    }
    expect(await mistakesIn(account, { options })).toEqual([])
    const [mistake] = await mistakesIn(account, { options: { notification: { body: 'x'.repeat(3000) } } })
    expect(mistake).toContain('4096')
  })

  it('tells what firebase-admin finds wrong with the options, and asks nobody', async () => {
    const options = { apns: { payload: { aps: { alert: null } } } }
    expect(await mistakesIn(account, { options })).toEqual([
      'options: are not what FCM takes, says firebase-admin: apns.payload.aps.alert must be a string or a non-null object',
    ])
  })

  it('takes a certificate to trust', async () => {
    expect(await mistakesIn(account, { ca_file: await fileWith(createAuthority().certificate) })).toEqual([])
  })
})
