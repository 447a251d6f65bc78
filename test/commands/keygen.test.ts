import { describe, expect, it } from 'vitest'
import { keygen } from '../../src/commands/keygen.ts'
import { parseToken } from '../../src/config/keys.ts'
import { Keyring, parseKeyFile } from '../../src/core/keyring.ts'
import { Secret } from '../../src/core/secret.ts'
import { parseVapidKey } from '../../src/providers/webpush/vapid-key.ts'
import { textSink } from '../helpers/text-sink.ts'

function run(what: string) {
  const [stdout, stderr] = [textSink(), textSink()]
  const code = keygen({ what, stdout, stderr })
  return { code, stdout: stdout.text(), stderr: stderr.text() }
}

describe('hushgate keygen', () => {
  it('makes a whole key file for the store, another each time', () => {
    const { code, stdout } = run('store')
    expect(code).toBe(0)
    expect(parseKeyFile(stdout)).toBeInstanceOf(Keyring)
    expect(run('store').stdout).not.toBe(stdout)
  })

  it('makes a line that rotates the encryption key of a key file', () => {
    expect(parseKeyFile(run('encryption').stdout + run('store').stdout)).toBeInstanceOf(Keyring)
  })

  it('makes a token that is good for the admin port', () => {
    expect(parseToken(run('token').stdout)).toBeInstanceOf(Secret)
  })

  it('makes a VAPID key, another each time', () => {
    const { code, stdout } = run('vapid')
    expect(code).toBe(0)
    expect(parseVapidKey(stdout)).toEqual({ publicKey: expect.any(String), privateKey: expect.any(String) })
    expect(run('vapid').stdout).not.toBe(stdout)
  })

  it.each(['webpush', 'constructor', ''])('knows nothing of %j', (what) => {
    expect(run(what)).toEqual({
      code: 1,
      stdout: '',
      stderr: `keygen makes one of store, encryption, token, vapid, not ${JSON.stringify(what)}\n`,
    })
  })
})
