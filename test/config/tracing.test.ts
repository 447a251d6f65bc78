/** The section `tracing`: where traces go, and what can be wrong with it. */
import { inspect } from 'node:util'
import { expect, it } from 'vitest'
import { createAuthority } from '../../src/simulators/certificate.ts'
import { configFolder, GOOD_APP } from '../helpers/config-folder.ts'

const APPS = `apps:\n${GOOD_APP}\n`

it('nothing is traced unless it is configured', async () => {
  await using folder = await configFolder()
  expect((await folder.load(APPS)).tracing).toBeUndefined()
})

it.each([
  ['http://collector:4318', 'http://collector:4318/v1/traces'],
  ['http://collector:4318/', 'http://collector:4318/v1/traces'],
  ['https://collector/api/otlp/v1/traces', 'https://collector/api/otlp/v1/traces'],
])('traces to %s are posted to %s', async (url, posted) => {
  await using folder = await configFolder()
  const { tracing } = await folder.load(`tracing: { otlp_url: "${url}" }\n${APPS}`)
  expect(tracing).toMatchObject({ url: posted, sampleRatio: 1 })
})

it('headers are read as OpenTelemetry writes them, or one a line, and cannot be printed', async () => {
  await using folder = await configFolder()
  await folder.write('headers', 'Authorization=Bearer%20abc==,x-scope = 1\nx-last=2\n')
  const { tracing, files } = await folder.load(
    `tracing: { otlp_url: "http://collector:4318", headers_file: headers, sample_ratio: 0.01 }\n${APPS}`,
  )
  const headers = [...(tracing?.headers ?? [])].map(([name, value]) => [name, value.reveal()])
  expect(headers).toEqual([
    ['authorization', 'Bearer abc=='],
    ['x-scope', '1'],
    ['x-last', '2'],
  ])
  expect(inspect(tracing, { depth: null })).not.toContain('abc')
  expect(tracing?.sampleRatio).toBe(0.01)
  expect([...files.keys()]).toContain(folder.at('headers'))
})

it.each([
  ['otlp_url: "collector:4318"', 'tracing.otlp_url: expected a URL such as http://collector:4318'],
  ['otlp_url: "ftp://collector"', 'tracing.otlp_url: expected a URL such as http://collector:4318'],
  [
    'otlp_url: "http://me:secret@collector"',
    'tracing.otlp_url: no user or password can be in it; write them into headers_file, as authorization=Basic%20…',
  ],
  ['otlp_url: "http://collector", ca_file: ca.pem', 'tracing.otlp_url: is http, so ca_file has no use; write https'],
  ['otlp_url: "https://collector", ca_file: key', 'tracing.ca_file: DIR/key holds no PEM certificate'],
  ['otlp_url: "http://collector", sample_ratio: 2', 'tracing.sample_ratio: expected a number from 0 to 1, found 2'],
  ['otlp_url: "http://collector", headers_file: none', 'tracing.headers_file: DIR/none does not exist'],
  [
    'otlp_url: "http://collector", headers_file: key',
    'tracing.headers_file: an entry of the file is not name=value, where % and , of a value are written as %25 and %2C',
  ],
])('{ %s } is refused with a sentence', async (section, sentence) => {
  await using folder = await configFolder()
  await folder.write('ca.pem', createAuthority().certificate)
  expect(await folder.mistakes(`${APPS}tracing: { ${section} }\n`)).toEqual([`3: ${sentence}`])
})
