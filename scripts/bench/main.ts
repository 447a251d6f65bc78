/** `npm run bench`: what Hushgate does under load, beside what it could do at most and what others do (scripts/bench/README.md). */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { measureLoad, type LoadFigures } from './measure-load.ts'
import { readOptions, USAGE, type Options } from './options.ts'
import { printLoad } from './print.ts'
import { devicesOf, writeDevices } from './requests.ts'
import { startRig, type Rig } from './rig.ts'
import { SCENARIOS, type Scenario } from './scenarios.ts'
import { hushgate, peer, type Subject } from './subjects.ts'

function subjectsOf({ programs, stores, peers }: Options): readonly Subject[] {
  const ours = programs.flatMap(([name, path]) =>
    stores.map((store) => hushgate({ name: `${name} ${store}`, program: resolve(path), store })),
  )
  return [...ours, ...peers.map(peer)]
}

async function measureScenario(scenario: Scenario, rig: Rig, options: Options, folder: string): Promise<boolean> {
  const at = (name: string): string => join(folder, name)
  writeDevices(at('devices'), devicesOf(scenario.service, options.pushkeys, rig.ports))
  const figures = new Map<string, LoadFigures[]>()
  for (let run = 0; run < options.runs; run += 1)
    for (const subject of subjectsOf(options)) {
      const running = await subject.start(rig)
      try {
        const id = `${process.pid}-${Date.now()}`
        const { seconds, warmUpSeconds } = options
        const files = { devicesFile: at('devices'), scriptFile: at('load.lua') }
        const measured = await measureLoad(running, { rig, scenario, seconds, warmUpSeconds, ...files, id })
        figures.set(subject.name, [...(figures.get(subject.name) ?? []), measured])
      } finally {
        await running.stop()
      }
    }
  printLoad(scenario.title, figures)
  return [...figures.values()].flat().every(({ failed, lost }) => failed === 0 && lost === 0)
}

async function bench(options: Options): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'hushgate-bench-load-'))
  const rig = await startRig(resolve(options.rig ?? join(folder, 'rig')))
  try {
    if (options.prepare) return
    for (const scenario of SCENARIOS.filter(({ name }) => options.only.includes(name)))
      if (!(await measureScenario(scenario, rig, options, folder))) process.exitCode = 1
  } finally {
    rig.simulator.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

if (process.argv.includes('--help')) process.stdout.write(USAGE)
else await bench(readOptions(process.argv.slice(2)))
