/** `npm start` where nothing is configured: what somebody sees who tries Hushgate for the first time. */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { linesToPaste, paste } from './demonstration-lines.ts'
import { createHushgateFolder, runHushgate, startHushgate } from '../helpers/hushgate-process.ts'

const ROOM = '!family:example.org'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hushgate-demonstration-'))
})
afterAll(() => rm(folder, { recursive: true }))

describe('the demonstration', () => {
  it.each(['an empty folder', 'the same folder again'])(
    'in %s shows what Apple, Google and a browser are told, and stops at Ctrl-C',
    async () => {
      await using demonstration = startHushgate(['start'], { folder })
      await demonstration.printed('Stop: Ctrl-C')
      const invited = demonstration.stdout().length
      const { curl, node } = linesToPaste(demonstration.stdout())
      expect(curl).toMatch(/^curl http:\/\/127\.0\.0\.1:\d+\//)
      for (const line of [curl, node]) {
        expect(line).toContain(ROOM)
        expect(await paste(line, 'dash')).toBe('{"rejected":[]}')
        expect(await paste(line, 'bash')).toBe('{"rejected":[]}')
      }

      await demonstration.printed('Apple received', 4)
      await demonstration.printed('Google received', 4)
      await demonstration.printed('Browser received', 4)
      demonstration.signal('SIGINT')
      const { code, stdout, stderr } = await demonstration.ended
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      const shown = stdout.slice(invited)
      expect(shown.match(/Apple received\n/g)).toHaveLength(4)
      expect(shown.match(/Google received\n/g)).toHaveLength(4)
      expect(shown).toMatch(
        /Browser received\n {4}ttl: 86400\n {4}urgency: normal\n {4}encrypted: 1127 bytes\n {4}\{"sync":"1"\}\n/,
      )
      expect(shown).toContain('apns-topic: com.example.app')
      // Each block up to what is compared with what was sent.
      const received = [...shown.matchAll(/received\n(.*?)\n\n {4}The homeserver sent/gs)].map(([, block]) => block)
      expect(received).toHaveLength(12)
      expect(received.join('')).not.toMatch(/!family|\$event|@alice|See you at eight/)
      expect(shown.match(/^ {4}sender +@alice:example\.org +–$/gm)).toHaveLength(12)
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
