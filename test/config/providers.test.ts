import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { ConfigError, formatMistake } from '../../src/config/config-error.ts'
import { loadConfig } from '../../src/config/load.ts'
import { providers } from '../../src/providers/index.ts'
import { configFolder, type ConfigFolder } from '../helpers/config-folder.ts'

const YAML = `
privacy: event_id_only
apps:
  com.example.app.ios:
    type: apns
    key_file: AuthKey.p8
    key_id: ABC123DEFG
    team_id: DEF123GHIJ
    topic: com.example.app
  com.example.app.android.*:
    type: fcm
    service_account_file: sa.json
    options: { android: { ttl: 3600s } }
`

describe('the configuration of real push services', () => {
  it('is taken with keys as Apple and Google give them', async () => {
    await using folder = await configFolder()
    await writeKeys(folder, 'P-256')
    const { routes } = await load(folder, YAML)
    expect(routes.map(({ provider, options, files }) => ({ provider, options, files }))).toEqual([
      {
        provider: 'apns',
        options: {
          key_file: folder.at('AuthKey.p8'),
          key_id: 'ABC123DEFG',
          team_id: 'DEF123GHIJ',
          topic: 'com.example.app',
          platform: 'production',
          token_format: 'auto',
          push_type: 'auto',
          loc_key: 'Notification',
        },
        files: [folder.at('AuthKey.p8')],
      },
      {
        provider: 'fcm',
        options: {
          service_account_file: folder.at('sa.json'),
          target: 'token',
          payload_style: 'sygnal',
          badge_pushes: 'drop',
          max_connections: 50,
          options: { android: { ttl: '3600s' } },
        },
        files: [folder.at('sa.json')],
      },
    ])
  })

  it('names the line of a key on the wrong curve, of a topic that does not fit, and of a broken service account', async () => {
    await using folder = await configFolder()
    await writeKeys(folder, 'P-384')
    await folder.write('sa.json', '{}')
    const yaml = YAML.replace('topic: com.example.app\n', 'topic: com.example.app\n    push_type: voip\n')
    const places = await mistakePlaces(folder, yaml)
    expect(new Set(places)).toEqual(
      new Set([
        '6: apps["com.example.app.ios"].key_file',
        '9: apps["com.example.app.ios"].topic',
        '13: apps["com.example.app.android.*"].service_account_file',
      ]),
    )
  })

  it('says why a VoIP app can neither be minimal nor wait', async () => {
    await using folder = await configFolder()
    await writeKeys(folder, 'P-256')
    const voip = 'topic: com.example.app.voip\n    push_type: voip\n    release_every: 1s\n'
    const yaml = YAML.replace('privacy: event_id_only', '').replace('topic: com.example.app\n', voip)
    expect(await mistakesIn(folder, yaml)).toEqual([
      '10: apps["com.example.app.ios"].push_type: a VoIP push cannot be minimal: iOS ends an app that does not report the call it was woken for, and the app cannot know the call without its event ID; set privacy: event_id_only',
      '11: apps["com.example.app.ios"].release_every: is not for push_type: voip, as a call must ring at once; delete the line',
    ])
  })

  it('names both ways to give the same thing', async () => {
    await using folder = await configFolder()
    await writeKeys(folder, 'P-256')
    const twice = '    passphrase: a\n    passphrase_file: sa.json\n    cert_file: sa.json\n'
    const places = await mistakePlaces(folder, YAML.replace('    key_id', `${twice}    key_id`))
    expect(places).toContain('7: apps["com.example.app.ios"].passphrase')
    expect(places).toContain('9: apps["com.example.app.ios"].cert_file')
  })
})

async function load(folder: ConfigFolder, yaml: string) {
  await folder.write('hushgate.yaml', yaml)
  return loadConfig({ path: folder.at('hushgate.yaml'), env: {}, kinds: providers })
}

async function mistakePlaces(folder: ConfigFolder, yaml: string): Promise<string[]> {
  return (await mistakesIn(folder, yaml)).map((mistake) => mistake.split(': ', 2).join(': '))
}

async function mistakesIn(folder: ConfigFolder, yaml: string): Promise<string[]> {
  const error: unknown = await load(folder, yaml).catch((reason: unknown) => reason)
  const mistakes = error instanceof ConfigError ? error.mistakes : []
  expect(mistakes.map(formatMistake).join('\n')).not.toContain('PRIVATE KEY')
  return mistakes.map(({ line, path, message }) => `${line}: ${path}: ${message}`)
}

async function writeKeys(folder: ConfigFolder, namedCurve: string): Promise<void> {
  const pem = { format: 'pem', type: 'pkcs8' } as const
  const apns = generateKeyPairSync('ec', { namedCurve }).privateKey.export(pem)
  await folder.write('AuthKey.p8', apns.toString())
  const google = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export(pem)
  const account = {
    type: 'service_account',
    project_id: 'example-app',
    private_key_id: '0123456789abcdef',
    private_key: google,
    client_email: 'gateway@example-app.iam.gserviceaccount.com',
    token_uri: 'https://oauth2.googleapis.com/token',
  }
  await folder.write('sa.json', JSON.stringify(account))
}
