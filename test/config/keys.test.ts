import { mkdir, readFile, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openKeys, parseToken } from '../../src/config/keys.ts'
import { createKeyFile, Keyring } from '../../src/core/keyring.ts'
import { configFolder, GOOD_APP } from '../helpers/config-folder.ts'

const APPS = `apps:\n${GOOD_APP}\n`

describe('openKeys', () => {
  it('makes the keys beside the SQLite file on first start, readable by us alone, and reads them from then on', async () => {
    await using folder = await configFolder()
    const first = await openKeys(await folder.load(APPS))
    expect(first.created).toEqual([folder.at('data/encryption-key'), folder.at('data/admin-token')])
    for (const file of first.created) expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect((await stat(folder.at('data'))).mode & 0o777).toBe(0o700)

    const second = await openKeys(await folder.load(APPS))
    expect(second.created).toEqual([])
    expect(second.adminToken?.reveal()).toBe(first.adminToken?.reveal())
    expect(second.keyring.hash('test')).toBe(first.keyring.hash('test'))
  })

  it('makes one key only when two processes start at once', async () => {
    await using folder = await configFolder()
    const config = await folder.load(APPS)
    const starts = await Promise.allSettled([openKeys(config), openKeys(config)])
    const { keyring } = await openKeys(config)
    const keyrings = starts.flatMap((start) => (start.status === 'fulfilled' ? [start.value.keyring] : []))
    expect(keyrings.length).toBeGreaterThan(0)
    expect(new Set(keyrings.map((each) => each.hash('test')))).toEqual(new Set([keyring.hash('test')]))
  })

  it('writes nothing while the configuration is loaded', async () => {
    await using folder = await configFolder()
    await folder.load(APPS)
    await expect(stat(folder.at('data'))).rejects.toThrow('ENOENT')
  })

  it.each([
    ['', 'it needs exactly one line "hash KEY"'],
    ['hash short', 'line 1 is neither'],
  ])('refuses a key file that says %j and leaves it as it is', async (text, sentence) => {
    await using folder = await configFolder()
    const config = await folder.load(APPS)
    await mkdir(folder.at('data'))
    await folder.write('data/encryption-key', text)
    expect((await folder.mistakes(APPS)).join('\n')).toContain(sentence)
    await expect(openKeys(config)).rejects.toThrow(sentence)
    expect(await readFile(folder.at('data/encryption-key'), 'utf8')).toBe(text)
  })

  it('refuses an empty token file and leaves it as it is', async () => {
    await using folder = await configFolder()
    const config = await folder.load(APPS)
    await mkdir(folder.at('data'))
    await folder.write('data/admin-token', '')
    expect((await folder.mistakes(APPS)).join('\n')).toContain('admin.token_file: the file is empty')
    await expect(openKeys(config)).rejects.toThrow('admin.token_file: the file is empty')
  })

  it('does not make new keys for a database that has lost its own', async () => {
    await using folder = await configFolder()
    await mkdir(folder.at('data'))
    await folder.write('data/hushgate.db', 'rows')
    expect(await folder.mistakes(APPS)).toEqual([
      '1: queue.encryption_key_file: DIR/data/encryption-key does not exist, but DIR/data/hushgate.db does: without its keys what is queued there cannot be read. Restore the file, or move the database away',
    ])
  })

  it('does not make a key file whose name was given', async () => {
    await using folder = await configFolder()
    await folder.write('keys', createKeyFile())
    await folder.write('token', 'a-token-that-is-long-enough')
    const config = await folder.load(`queue: { encryption_key_file: keys }\nadmin: { token_file: token }\n${APPS}`)
    const { keyring, adminToken, created } = await openKeys(config)
    expect([keyring instanceof Keyring, adminToken?.reveal(), created]).toEqual([
      true,
      'a-token-that-is-long-enough',
      [],
    ])
    const missing = {
      ...config,
      queue: { ...config.queue, encryptionKeyFile: { path: folder.at('none'), isOurs: false } },
    }
    await expect(openKeys(missing)).rejects.toThrow('none does not exist')
  })

  it('says where keys cannot be made', async () => {
    await using folder = await configFolder()
    const config = await folder.load(`store: { url: sqlite:./key/hushgate.db }\n${APPS}`)
    await expect(openKeys(config)).rejects.toThrow(
      `queue.encryption_key_file: ${dirname(folder.at('key/x'))}/encryption-key does not exist`,
    )
  })
})

describe('parseToken', () => {
  it.each([
    ['a-token-that-is-long-enough\n', true],
    ['  a-token-that-is-long-enough\r\n', true],
    ['two-tokens-in-one-file and-more', false],
    ['short', false],
    ['\n', false],
  ])('of %j is a token: %j', (text, isToken) => {
    expect(typeof parseToken(text) !== 'string').toBe(isToken)
  })
})
