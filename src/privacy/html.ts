/** Words and numbers as HTML for people. */

export function text(value: string): string {
  return value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}

export function capital(sentence: string): string {
  return sentence.slice(0, 1).toUpperCase() + sentence.slice(1)
}

/** The name of a push service inside a sentence. */
export function lower(who: string): string {
  return who.replace(/^The /, 'the ')
}

export function duration(seconds: number): string {
  const [count, unit] =
    seconds % 3600 === 0
      ? [seconds / 3600, 'hour']
      : seconds % 60 === 0
        ? [seconds / 60, 'minute']
        : [seconds, 'second']
  return `${count} ${unit}${count === 1 ? '' : 's'}`
}

/** "Apple, Google and the push service"; each once. */
export function listed(names: readonly string[]): string {
  const [last = '', ...others] = [...new Set(names)].toReversed()
  return others.length === 0 ? last : `${others.toReversed().join(', ')} and ${last}`
}

/** What is learned beside what is not; each a heading and a list. */
export function columns(learned: readonly [string, string], hidden: readonly [string, string]): string {
  return `<div class="columns">${column('learns', learned)}${column('hidden', hidden)}</div>`
}

function column(kind: string, [heading, list]: readonly [string, string]): string {
  return `<div class="${kind}"><h4>${heading}</h4>${list}</div>`
}

export function items(lines: readonly string[]): string {
  return `<ul>${lines.map((line) => `<li>${line}</li>`).join('')}</ul>`
}

export function folded(summary: string, content: string): string {
  return `<details><summary>${summary}</summary>${content}</details>`
}
