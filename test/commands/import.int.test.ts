/** A Sygnal's configuration, run and imported as an operator does it. */
import { writeFile } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { EVERY_KEY, SAMPLE, sygnalFolder, type SygnalFolder } from '../config/sygnal-fixtures.ts'
import { freePort } from '../helpers/free-port.ts'
import { runHushgate, startHushgate } from '../helpers/hushgate-process.ts'
import { pushTo } from '../helpers/homeserver.ts'

const APNS = 'type: apns, keyfile: keys/apns.p8, key_id: ABCDEFGHIJ, team_id: KLMNOPQRST, topic: com.example.app'
const AMBIGUOUS = SAMPLE.replace('apps:', `apps:\n  a.*: { ${APNS} }\n  "*.b": { ${APNS} }`)

let folder: SygnalFolder
beforeEach(async () => {
  folder = await sygnalFolder()
})
afterEach(() => folder[Symbol.asyncDispose]())

/** With ports that are free here. */
async function onFreePorts(
  yaml: string,
): Promise<{ readonly yaml: string; readonly url: string; readonly adminUrl: string }> {
  const [port, adminPort] = [await freePort(), await freePort()]
  return {
    yaml: yaml
      .replace(/port: 50\d0/, `port: ${port}`)
      .replace('enabled: false, address', 'enabled: true, address')
      .replace(/port: 80\d0/, `port: ${adminPort}`),
    url: `http://127.0.0.1:${port}`,
    adminUrl: `http://127.0.0.1:${adminPort}`,
  }
}

async function rejected(url: string, appId: string): Promise<unknown> {
  const notification = { event_id: '$event', devices: [{ app_id: appId, pushkey: 'some-pushkey' }] }
  return (await pushTo(url, notification)).json
}

describe('hushgate serve --sygnal', () => {
  it.each([
    ['the sample that comes with Sygnal', SAMPLE],
    ['every key that Sygnal documents', EVERY_KEY],
  ])('runs %s', async (_name, sample) => {
    const { yaml, url, adminUrl } = await onFreePorts(sample)
    await folder.write('sygnal.yaml', yaml)
    await using gateway = startHushgate(['serve', '--sygnal', 'sygnal.yaml'], { folder: folder.path })
    await expect
      .poll(
        () =>
          fetch(`${adminUrl}/readyz`)
            .then(({ status }) => status)
            .catch(() => 0),
        { timeout: 60_000 },
      )
      .toBe(200)
    const health = await fetch(`${url}/health`)
    expect([health.status, await health.text()]).toEqual([200, ''])
    expect(await rejected(url, 'com.example.nobody')).toEqual({ rejected: ['some-pushkey'] })
    gateway.signal('SIGTERM')
    expect(await gateway.ended).toMatchObject({ code: 0, stderr: '' })
  })

  it('warns of globs that overlap, and rejects what both match', async () => {
    const { yaml, url } = await onFreePorts(AMBIGUOUS)
    await folder.write('sygnal.yaml', yaml)
    await using gateway = startHushgate(['serve', '--sygnal', 'sygnal.yaml'], { folder: folder.path })
    await gateway.printed('Hushgate is running')
    expect(gateway.stdout()).toContain('"a.*" and "*.b" both match "a.b"; such an app_id is treated as unknown')
    expect(await rejected(url, 'a.b')).toEqual({ rejected: ['some-pushkey'] })
    expect(await rejected(url, 'a.c')).toEqual({ rejected: [] })
  })

  it("does not start with a pushkin of one's own, and says where it is and what to do", async () => {
    await folder.write('sygnal.yaml', `apps:\n  a: { ${APNS} }\n  b: { type: my.Pushkin }\n`)
    expect(await runHushgate(['serve', '--sygnal', 'sygnal.yaml'], { folder: folder.path })).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/sygnal.yaml:3: apps.b.type: my.Pushkin is a pushkin of your own/),
    })
  })

  it('takes the store from --store, which is not for a configuration of our own', async () => {
    const { yaml } = await onFreePorts(SAMPLE)
    await folder.write('sygnal.yaml', yaml)
    const run = (...args: string[]) => runHushgate(['check', ...args], { folder: folder.path })
    expect(await run('--sygnal', 'sygnal.yaml', '--store', 'sqlite:./mine.db')).toMatchObject({ code: 0 })
    expect(await run('--sygnal', 'sygnal.yaml', '--store', 'redis://localhost')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('--encryption-key-file'),
    })
    expect(await run('--store', 'sqlite:./mine.db')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('--sygnal'),
    })
  })
})

describe('hushgate import', () => {
  it('prints a file that hushgate check accepts', async () => {
    await folder.write('sygnal.yaml', EVERY_KEY)
    const imported = await runHushgate(['import', 'sygnal.yaml'], { folder: folder.path })
    expect(imported).toMatchObject({ code: 0, stderr: '' })
    await writeFile(folder.at('hushgate.yaml'), imported.stdout)
    expect(await runHushgate(['check'], { folder: folder.path })).toMatchObject({
      code: 0,
      stdout: 'configuration is valid: 4 apps\n',
      stderr: '',
    })
  })
})
