/**
 * Makes test/fixtures/sygnal-generated.json.gz: requests of a seed, with what Sygnal 0.17 does with each (scripts/sygnal). Only to record anew; the comparison
 * needs no Sygnal. node scripts/record-sygnal.ts PYTHON [SEED] [COUNT]
 */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { generatedRequest } from './sygnal/cases.ts'

const [python, seed = '4', count = '1500'] = process.argv.slice(2)
if (python === undefined) throw new Error('Say which Python has matrix-sygnal: node scripts/record-sygnal.ts PYTHON')
const requests = Array.from({ length: Number(count) }, (_, index) => generatedRequest(Number(seed), index))
const { stdout, status } = spawnSync(python, ['scripts/sygnal/record.py'], {
  input: requests.map((request) => `${JSON.stringify(request)}\n`).join(''),
  encoding: 'utf8',
  stdio: ['pipe', 'pipe', 'inherit'],
  maxBuffer: 1e9,
})
if (status !== 0) throw new Error('The recording failed')
const cases = stdout
  .trim()
  .split('\n')
  .map((line): unknown => JSON.parse(line))
const recording = { sygnal: '0.17.0', seed: Number(seed), cases }
writeFileSync('test/fixtures/sygnal-generated.json.gz', gzipSync(JSON.stringify(recording), { level: 9 }))
process.stdout.write(`${cases.length} cases\n`)
