/** The configuration for who has none. */
import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { expect, it } from 'vitest'
import { withExampleConfig } from '../../src/commands/demonstration/example-config.ts'
import { render } from '../../src/commands/render.ts'
import { providers } from '../../src/providers/index.ts'
import { textSink } from '../helpers/text-sink.ts'

it('has an app on each of three push services, of which a notification can be shown, and is gone afterwards', async () => {
  const stdout = textSink()
  const file = await withExampleConfig(providers, async (config) => {
    await render({ config, kinds: providers, body: 'message', isJson: true, stdout, nowMs: Date.now() })
    expect(existsSync(config.file)).toBe(true)
    return config.file
  })
  const { devices }: { devices: readonly { readonly app: string }[] } = JSON.parse(stdout.text())
  expect(devices.map(({ app }) => app)).toEqual(['com.example.ios', 'com.example.android', 'com.example.web'])
  expect(existsSync(dirname(file))).toBe(false)
})

it('is gone also where what uses it fails', async () => {
  let file = ''
  const failing = withExampleConfig(providers, async (config) => {
    file = config.file
    throw new Error('nobody reads on')
  })
  await expect(failing).rejects.toThrow('nobody reads on')
  expect(existsSync(dirname(file))).toBe(false)
})
