/** The keys that Hushgate itself needs: of the store, and the operator's token. Made on first start beside the SQLite file, never overwritten. */
import { randomBytes } from 'node:crypto'
import { mkdir, open, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { codeOf } from '../core/error-code.ts'
import { createKeyFile, Keyring, parseKeyFile } from '../core/keyring.ts'
import { Secret } from '../core/secret.ts'
import type { Config, KeyFile } from './config.ts'
import { ConfigError } from './config-error.ts'
import { readText } from './files.ts'

/** Names of the files that are made beside the database. */
export const DEFAULT_KEY_FILE = 'encryption-key'
export const DEFAULT_TOKEN_FILE = 'admin-token'

/** 16 random bytes take 22 characters in base64url. */
const MIN_TOKEN_CHARACTERS = 22

export interface Keys {
  readonly keyring: Keyring
  /** Absent: the operator's API is off. */
  readonly adminToken?: Secret | undefined
  /** Files that were made just now, to be told to the operator. */
  readonly created: readonly string[]
}

/** Reads the key files, and first makes those that are ours to make and missing. Rejects with a ConfigError. */
export async function openKeys(config: Config): Promise<Keys> {
  const created: string[] = []
  const { encryptionKeyFile } = config.queue
  const { tokenFile } = config.admin
  const textOf = async (file: KeyFile, path: string, make: () => string): Promise<string> => {
    const read = await readText(file.path)
    if (read.problem === undefined) return read.text
    if (!file.isOurs || !read.isMissing) throw mistakesOf(config, path, [read.problem])
    const text = make()
    try {
      await createExclusively(file.path, text)
    } catch (error) {
      throw mistakesOf(config, path, [`${file.path} cannot be made (${codeOf(error)})`])
    }
    created.push(file.path)
    return text
  }
  const keyring = parseKeyFile(await textOf(encryptionKeyFile, 'queue.encryption_key_file', createKeyFile))
  if (!(keyring instanceof Keyring)) throw mistakesOf(config, 'queue.encryption_key_file', keyring)
  if (tokenFile === undefined) return { keyring, created }
  const token = parseToken(await textOf(tokenFile, 'admin.token_file', () => `${createToken()}\n`))
  if (typeof token === 'string') throw mistakesOf(config, 'admin.token_file', [token])
  return { keyring, adminToken: token, created }
}

export function createToken(): string {
  return randomBytes(32).toString('base64url')
}

/** The token, or a sentence about what is wrong with it. */
export function parseToken(text: string): Secret | string {
  const token = text.trim()
  if (token === '') return 'the file is empty; make a token with: hushgate keygen token'
  if (/\s/.test(token)) return 'the file must hold one token and nothing else'
  if (token.length < MIN_TOKEN_CHARACTERS)
    return `the token is shorter than ${MIN_TOKEN_CHARACTERS} characters; make one with: hushgate keygen token`
  return new Secret(token)
}

function mistakesOf(config: Config, path: string, messages: readonly string[]): ConfigError {
  return new ConfigError(
    messages.map((message) => ({ path, file: config.file, message })),
    config.files,
  )
}

/** On disk when it resolves, readable by us alone; rejects with EEXIST rather than touch a file that is there. */
async function createExclusively(path: string, text: string): Promise<void> {
  const folder = dirname(path)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const file = await open(path, 'wx', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } catch (error) {
    await unlink(path)
    throw error
  } finally {
    await file.close()
  }
  const folderHandle = await open(folder, 'r')
  try {
    await folderHandle.sync()
  } finally {
    await folderHandle.close()
  }
}
