/** The `ca_file` of an app's section: the mistakes in it, the same for each push service that takes one. */
import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { OptionMistake } from '../../core/provider.ts'

export async function authorityMistakes(file: string | undefined): Promise<readonly OptionMistake[]> {
  const option = 'ca_file'
  if (file === undefined) return []
  const text = await textOf(file)
  if (text === undefined) return [{ option, message: `cannot read ${file}` }]
  return isCertificate(text) ? [] : [{ option, message: `${file} holds no PEM certificate` }]
}

/** Undefined when the file cannot be read. */
export async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch {
    return undefined
  }
}

function isCertificate(text: string): boolean {
  try {
    return new X509Certificate(text).raw.length > 0
  } catch {
    return false
  }
}
