import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { forwardApple, forwardGoogle, forwardToBrowser } from '../../src/commands/simulation/forward.ts'

/** Awkward for two shells, one in the other. */
const AWKWARD = `it's "$HOME" \`id\` \\n 🐈`
const PUSH = { token: '5e', body: '', atMs: 0 }

/** What the tools are given, a line for each word, when the lines are pasted. */
function paste(lines: string, tools: string): string {
  return execFileSync('sh', ['-c', `${tools}\n${lines}`], { encoding: 'utf8' })
}

describe('what puts a push into an emulator, pasted', () => {
  it('gives the iOS simulator the bundle and the payload, byte for byte', () => {
    const body = JSON.stringify({ aps: { alert: AWKWARD } })
    const lines = forwardApple({ ...PUSH, headers: { 'apns-topic': 'com.example.app' }, body })
    expect(paste(lines, 'xcrun() { echo "$@"; cat; }')).toBe(`simctl push booted com.example.app -\n${body}\n`)
  })

  it('says of a VoIP push that the iOS simulator takes none', () => {
    const headers = { 'apns-topic': 'com.example.app.voip', 'apns-push-type': 'voip' }
    expect(forwardApple({ ...PUSH, headers, body: '{}' })).toBe('# The iOS simulator takes no VoIP pushes.\n')
  })

  it('gives the Firebase library in the Android emulator each field', () => {
    const message = { token: 't', data: { sync: '1', content_body: AWKWARD } }
    const push = { ...PUSH, projectId: 'p', message, validateOnly: false }
    const lines = forwardGoogle(push, 'com.example.app', 'message-1')
    const words = paste(lines, `adb() { test "$1" = shell; sh -c 'am() { printf "%s\\n" "$@"; }; '"$2"; }`).split('\n')
    expect(words.slice(0, 5)).toEqual([
      'broadcast',
      '-a',
      'com.google.android.c2dm.intent.RECEIVE',
      '-n',
      'com.example.app/com.google.firebase.iid.FirebaseInstanceIdReceiver',
    ])
    expect(words.slice(5, -1)).toEqual(
      Object.entries({ 'google.message_id': 'message-1', ...message.data }).flatMap((pair) => ['--es', ...pair]),
    )
  })

  it('gives a browser what it would have decrypted', () => {
    const push = { name: 'browser', origin: '', headers: {}, body: Buffer.alloc(0), payload: '{"sync":"1"}', atMs: 0 }
    expect(forwardToBrowser(push)).toMatch(/^# .*Push.*\n\{"sync":"1"\}\n$/)
  })
})
