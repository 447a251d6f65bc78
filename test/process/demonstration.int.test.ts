/** `npm start` where nothing is configured: what somebody sees who tries Hushgate for the first time. */
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createHushgateFolder, runHushgate, startHushgate } from '../helpers/hushgate-process.ts'

const ROOM = '!family:example.org'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hushgate-demonstration-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** As pasted into a terminal. */
async function paste(line: string): Promise<string> {
  return (await promisify(execFile)('bash', ['-c', `${line} --silent --show-error --noproxy '*'`])).stdout
}

describe('the demonstration', () => {
  it.each(['an empty folder', 'the same folder again'])(
    'in %s shows what Apple, Google and a browser are told, and stops at Ctrl-C',
    async () => {
      await using demonstration = startHushgate(['start'], { folder })
      await demonstration.printed('Stop: Ctrl-C')
      const [curl = ''] = /^curl .*$/m.exec(demonstration.stdout()) ?? []
      expect(curl).toContain(ROOM)
      expect(curl).toMatch(/^curl http:\/\/127\.0\.0\.1:\d+\//)
      const invited = demonstration.stdout().length
      expect(await paste(curl)).toBe('{"rejected":[]}')
      expect(await paste(curl)).toBe('{"rejected":[]}')

      await demonstration.printed('Apple received', 2)
      await demonstration.printed('Google received', 2)
      await demonstration.printed('Browser received', 2)
      demonstration.signal('SIGINT')
      const { code, stdout, stderr } = await demonstration.ended
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      const shown = stdout.slice(invited)
      expect(shown.match(/Apple received\n/g)).toHaveLength(2)
      expect(shown.match(/Google received\n/g)).toHaveLength(2)
      expect(shown).toMatch(
        /Browser received\n {4}ttl: 86400\n {4}urgency: normal\n {4}encrypted: 1127 bytes\n {4}\{"sync":"1"\}\n/,
      )
      expect(shown).toContain('apns-topic: com.example.app')
      expect(shown).not.toMatch(/!family|\$event|@alice|See you at eight/)
    },
  )

  it('leaves everything in data/demonstration', async () => {
    expect(await readdir(folder)).toEqual(['data'])
    expect(await readdir(join(folder, 'data'))).toEqual(['demonstration'])
  })
})

describe('hushgate simulate', () => {
  it('prints a configuration that is right, and a browser that is subscribed', async () => {
    await using home = await createHushgateFolder()
    const simulate = startHushgate(['simulate'], { folder: home.path })
    await simulate.printed('web-ca.pem')
    const printed = simulate.stdout()
    await home.write('hushgate.yaml', printed)
    expect(await runHushgate(['check', '--online'], { folder: home.path })).toMatchObject({ code: 0, stderr: '' })
    expect(printed).toMatch(/^# A browser is subscribed: \{"app_id":"com.example.web","pushkey":"B[\w-]{86}"/m)
    simulate.signal('SIGTERM')
    expect(await simulate.ended).toMatchObject({ code: 0, stderr: '' })
  })
})
