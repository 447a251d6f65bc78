/** The commands of Hushgate that a text tells people to type: what stands after the name, as a shell would take it apart. */

/** What runs the command elsewhere: the engine, and the container, or the image, whose entry point it is. */
const CONTAINER = String.raw`(?:podman|docker)(?: compose)? (?:exec|run) .*?(?<!--name )(?:ghcr\.io/hushgate/)?hushgate(?::[\w.]+)?(?: hushgate)?`
const POD = String.raw`kubectl exec \S+ -- hushgate`
const TYPED = String.raw`(?:^|\$\(|\| )(?:sudo |npx )?hushgate`
/** Up to what belongs to the shell, or a comment. */
const ARGUMENTS = String.raw`((?: (?!#|&&|>|<|\|)[^\s)'"]+)+)`
const COMMAND = new RegExp(`(?:${CONTAINER}|${POD}|${TYPED})${ARGUMENTS}`, 'g')
/** In a sentence of the program, or a comment of a sample: "make them with: hushgate keygen store". */
const SAID = /(?:with: |\(|")hushgate((?: [\w.-]+)+)/g

/** In the code of a document in Markdown: its blocks, also those that are only indented, and its spans. */
export function commandsInDocument(text: string): readonly string[] {
  const fences = /^ *```.*\n([^]*?)^ *```$/gm
  const blocks = [...text.matchAll(fences)].map(([, block = '']) => block)
  const rest = text.replaceAll(fences, '')
  const spans = [...rest.matchAll(/`([^`]+)`/g)].map(([, span = '']) => span.replaceAll(/\s+/g, ' '))
  const indented = [...rest.matchAll(/^ {4}(\S.*)$/gm)].map(([, line = '']) => line)
  const lines = [...blocks.flatMap((block) => block.replaceAll(/\\\n\s*/g, '').split('\n')), ...spans, ...indented]
  return lines.flatMap((line) => matches(line, COMMAND))
}

/** In the comments of a sample, or the sentences of a source. */
export function commandsSaid(text: string): readonly string[] {
  return matches(text, SAID)
}

function matches(text: string, pattern: RegExp): readonly string[] {
  const found = [...text.matchAll(pattern)].map(([, args = '']) => args.trim())
  return found.filter((args) => !args.includes('…'))
}
