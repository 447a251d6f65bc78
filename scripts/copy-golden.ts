/** Makes test/fixtures/golden.json.gz of a folder of recorded cases (docs/facts/peers.md#recorded-cases): what the comparison reads of them, and nothing else. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'

const [folder] = process.argv.slice(2)
if (folder === undefined) throw new Error('Say where the recordings are: node scripts/copy-golden.ts FOLDER')
const cases = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .sort()
  .map((file) => {
    const { name, what, request, response, upstream } = JSON.parse(readFileSync(join(folder, file), 'utf8'))
    const { status, body, json } = response
    const contentType = response.headers?.['content-type']
    const pushes = upstream.map((push: Record<string, unknown>) => ({
      service: push['service'],
      token: push['token_text'],
      headers: push['headers'],
      json: push['json'],
    }))
    return { name, what, request, response: { status, body, json, contentType }, pushes }
  })
writeFileSync('test/fixtures/golden.json.gz', gzipSync(JSON.stringify(cases), { level: 9 }))
process.stdout.write(`${cases.length} cases\n`)
