/** `npm run bench`: what Hushgate does under load, beside what it could do at most and what others do (scripts/bench/README.md). */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { writeDocument } from './document.ts'
import { measureGrowth } from './growth.ts'
import { readOptions, USAGE, type Options } from './options.ts'
import { keep } from './results.ts'
import { startRig, type Rig } from './rig.ts'
import { Session } from './session.ts'
import { hushgate, peer, type Subject } from './subjects.ts'
import { asText, growthTables, remarksOn, tablesOf } from './tables.ts'

function subjectsOf({ programs, stores, peers }: Options): readonly Subject[] {
  const ours = programs.flatMap(([name, path]) =>
    stores.map((store) => hushgate({ name: `${name} ${store}`, program: resolve(path), store })),
  )
  return [...ours, ...peers.map(peer)]
}

async function bench(options: Options): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'hushgate-bench-load-'))
  const rig = await startRig(resolve(options.rigFolder ?? join(folder, 'rig')))
  try {
    if (options.prepare) return
    if (options.growth.length > 0) return await measureAllGrowth(rig, options, folder)
    const results = await new Session(rig, options, subjectsOf(options), folder).run()
    const remarks = remarksOn(results)
    console.log([...tablesOf(results).map(asText), remarks.join('\n')].join('\n\n'))
    if (Number.isFinite(options.maxConnections)) console.log(`\nWith ${options.maxConnections} connections at most.`)
    if (options.write) {
      keep({ load: results })
      writeDocument()
    }
    const all = [...Object.values(results.load), ...Object.values(results.delay)].flatMap((runs) =>
      Object.values(runs).flat(),
    )
    if (all.some(({ failed, lost }) => failed > 0 || lost > 0)) process.exitCode = 1
  } finally {
    rig.simulator.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function measureAllGrowth(rig: Rig, options: Options, folder: string): Promise<void> {
  for (const kind of options.growth) {
    const growth = await measureGrowth(kind, { rig, options, folder })
    console.log(growthTables(kind, growth).map(asText).join('\n\n'))
    if (options.write) keep({ growth: { [kind]: growth } })
  }
  if (options.write) writeDocument()
}

if (process.argv.includes('--help')) process.stdout.write(USAGE)
else await bench(readOptions(process.argv.slice(2)))
