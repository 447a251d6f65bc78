/** The TypeScript example for app makers as a browser takes it: its types taken out, nothing else changed. */
import { readFile } from 'node:fs/promises'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'

const FILE = join(import.meta.dirname, '../../config/examples/typescript/hushgate-sealed.ts')

export async function typescriptExample(): Promise<string> {
  return stripTypeScriptTypes(await readFile(FILE, 'utf8'))
}
