/** What the README gives people to paste into a shell. Pure. */

/** The one block of shell that has this in it. */
export function blockWith(text: string, readme: string): string {
  const blocks = [...readme.matchAll(/^```sh\n([^]*?)^```$/gm)].map(([, block = '']) => block)
  const [found, another] = blocks.filter((block) => block.includes(text))
  if (found === undefined || another !== undefined) throw new Error(`README.md has not one block with ${text}`)
  return found
}
