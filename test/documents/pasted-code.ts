/** The commands that documents give people to type, and who runs them. Pure. */
import type { Code } from '../../scripts/document-code.ts'

/** What people type, or paste into a file of another program. What is in another language is read, or compared. */
const PASTED = ['sh', 'nginx', 'apache', 'yaml']
const PROGRAMS =
  'adb|ansible-playbook|apt-get|caddy|chown|curl|docker|gh|git|helm|hushgate|journalctl|kubectl|node|npm|npx|openssl|podman|printf|sed|ssh|systemctl|systemd-analyze|xcrun'
const COMMAND = new RegExp(String.raw`^(?:sudo |[A-Z_]+=\S+ )*(?:${PROGRAMS}) \S`)

/** A call of `codeOf` in a test or a script: that runs this piece of the document. */
export interface Claim {
  readonly document: string
  readonly words: string
}

export function isPasted({ language, text }: Code): boolean {
  if (language !== undefined) return PASTED.includes(language)
  // With a gap it is a manner of speaking.
  return COMMAND.test(text) && !text.includes('…')
}

export function claimsIn(source: string): readonly Claim[] {
  const calls = source.matchAll(/\bcodeOf\(\s*'([^']+)',\s*(?:'((?:[^'\\\n]|\\.)*)'|"([^"\n]*)")/g)
  return [...calls].map(([, document = '', single, double = '']) => ({
    document,
    words: (single ?? double).replaceAll("\\'", "'"),
  }))
}

/** The lines of a block as a shell takes them: without comments, and with what is continued in one. */
export function commandLines({ text }: Code): readonly string[] {
  const joined = text.replaceAll(/\\\n\s*/g, '')
  return joined.split('\n').flatMap((line) => {
    const command = line.replace(/(?:^| )#.*$/, '').trim()
    return command === '' ? [] : [command]
  })
}

/** Hushgate's own command, alone or behind a pipe: test/documents/commands.int.test.ts types all of them. */
export function isHushgate(line: string): boolean {
  return /^(?:printf %s \S+ \| )?(?:sudo |npx )?hushgate [^&|;]+$/.test(line)
}

/** The script of package.json, where that is all; its options are for test/documents/script-options.int.test.ts. */
export function scriptOf(line: string): string | undefined {
  const [, name, other] = /^npm (?:run (?:--silent )?([a-z:]+)|(start|test|pack))(?: -- [^&|;]+)?$/.exec(line) ?? []
  return name ?? other
}
