/** The section `operator`, and what apps are called. */
import { describe, expect, it } from 'vitest'
import { configFolder, GOOD_APP } from '../helpers/config-folder.ts'

const APPS = `apps:\n${GOOD_APP}\n`

describe('the operator', () => {
  it('is named with a contact, or not at all', async () => {
    await using folder = await configFolder()
    const operator = { name: 'Example Chat e.V.', contact: 'mailto:privacy@example.org' }
    const written = `operator: { name: ${operator.name}, contact: "${operator.contact}" }\n`
    expect((await folder.load(written + APPS)).operator).toEqual(operator)
    expect((await folder.load(APPS)).operator).toBeUndefined()
    const [mistake] = await folder.mistakes(`operator: { name: Example }\n${APPS}`)
    expect(mistake).toContain('operator.contact')
  })

  it.each(['javascript:alert(1)', 'http://example.org', 'privacy@example.org', 'mailto:nobody', 'https://'])(
    'is not reached by %s',
    async (contact) => {
      await using folder = await configFolder()
      const mistakes = await folder.mistakes(`operator: { name: Example, contact: "${contact}" }\n${APPS}`)
      expect(mistakes).toEqual([expect.stringContaining('1: operator.contact: ')])
    },
  )
})

it('an app has the name that its users know', async () => {
  await using folder = await configFolder()
  const named = GOOD_APP.replace('}', ', display_name: Example for iPhone }')
  const { routes } = await folder.load(`apps:\n${named}\n`)
  expect(routes.map(({ displayName }) => displayName)).toEqual(['Example for iPhone'])
})
