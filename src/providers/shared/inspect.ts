/** Reading what an app's section points to: a check collects every mistake, opening a sender fails with the first. */
import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { codeOf } from '../../core/error-code.ts'
import type { OptionMistake } from '../../core/provider.ts'

/** Called for each mistake; what it is about is then left out. */
export type Report<Option extends string = string> = (option: Option, message: string) => void

/** Every mistake that `read` reports, in that order. */
export async function mistakesIn(read: (report: Report) => Promise<void>): Promise<readonly OptionMistake[]> {
  const mistakes: OptionMistake[] = []
  await read((option, message) => mistakes.push({ option, message }))
  return mistakes
}

/** What `read` finds; rejects with the first mistake that it reports. */
export async function readOrFail<T>(read: (report: Report) => Promise<T | undefined>): Promise<T> {
  const found = await read(fail)
  if (found === undefined) throw new TypeError('nothing was found, and no mistake was reported')
  return found
}

/** A `Report` for who cannot go on. */
export function fail(option: string, message: string): never {
  throw new Error(`${option} ${message}`)
}

/** Undefined when the file cannot be read, which is reported. */
export async function readOptionFile<Option extends string>(
  path: string,
  option: Option,
  report: Report<Option>,
): Promise<Buffer | undefined> {
  try {
    return await readFile(path)
  } catch (error) {
    report(option, `${path} cannot be read (${codeOf(error)})`)
    return undefined
  }
}

/** `ca_file`: the authorities to trust instead of the public ones, as PEM; undefined where the public ones are trusted. */
export async function readAuthorities(
  { ca_file: path }: { readonly ca_file?: string | undefined },
  report: Report<'ca_file'>,
): Promise<string | undefined> {
  const file = path === undefined ? undefined : await readOptionFile(path, 'ca_file', report)
  if (file === undefined) return undefined
  try {
    void new X509Certificate(file)
    return file.toString()
  } catch {
    report('ca_file', `${path} holds no PEM certificate`)
    return undefined
  }
}

/** What the schema of an address lets pass though no URL can be made of it. `example`: what it should look like. */
export function checkAddress<Option extends string>(
  address: string | undefined,
  option: Option,
  example: string,
  report: Report<Option>,
): void {
  if (address !== undefined && !URL.canParse(address)) report(option, `is not an https address such as ${example}`)
}
