/** What a process has used, from /proc (man 5 proc). Linux only. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

/** Of a tick of the kernel's counters for programs, on every machine that Node runs on. */
const TICK_MS = 10

/** The process and all that it started. */
export function familyOf(pid: number): readonly number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    read(`/proc/${pid}/task/${task}/children`)
      .split(' ')
      .filter((word) => word !== '')
      .map(Number),
  )
  return [pid, ...children.flatMap(familyOf)]
}

/** Of all threads, those that have ended among them. */
export function cpuMsOf(pids: readonly number[]): number {
  return sum(pids, (pid) => {
    // The second field is the name, which may hold anything.
    const fields = read(`/proc/${pid}/stat`)
      .replace(/^.*\) /s, '')
      .split(' ')
    return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * TICK_MS
  })
}

/** Of everything on this machine. */
export function machineCpuMs(): number {
  const [, user = 0, nice = 0, system = 0, , , interrupts = 0, softInterrupts = 0] = (
    /^cpu .*/.exec(read('/proc/stat'))?.[0] ?? ''
  )
    .split(/ +/)
    .map(Number)
  return (user + nice + system + interrupts + softInterrupts) * TICK_MS
}

export function residentMbOf(pids: readonly number[]): number {
  return sum(pids, (pid) => statusMb(pid, 'VmRSS'))
}

/** The most that was resident since `forgetPeak`. */
export function peakMbOf(pids: readonly number[]): number {
  return sum(pids, (pid) => statusMb(pid, 'VmHWM'))
}

export function forgetPeak(pids: readonly number[]): void {
  for (const pid of pids) writeFileSync(`/proc/${pid}/clear_refs`, '5')
}

function statusMb(pid: number, field: string): number {
  const [, kib = '0'] = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(read(`/proc/${pid}/status`)) ?? []
  return (Number(kib) * 1024) / 1e6
}

function read(path: string): string {
  return readFileSync(path, 'utf8')
}

function sum(pids: readonly number[], of: (pid: number) => number): number {
  return pids.reduce((total, pid) => total + of(pid), 0)
}
