/** As much load as a gateway takes: wrk, with a script that gives each request an event ID of its own. */
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { BODY, eventId, ROOMS } from './requests.ts'

export interface WrkOptions {
  /** Of the notify ports, among which the load is divided. */
  readonly urls: readonly [string, ...string[]]
  /** Of `writeDevices`. */
  readonly devicesFile: string
  readonly connections: number
  readonly seconds: number
  readonly devicesPerRequest: number
  /** Part of each event ID; unique to the run. */
  readonly run: string
  /** How the files begin in which the scripts are put. */
  readonly scriptFile: string
}

export interface WrkReport {
  /** Answered with 200. */
  readonly accepted: number
  /** Answered with anything else, or not at all. */
  readonly failed: number
  readonly seconds: number
  /** From a request to its answer. */
  readonly latencyMs: { readonly p50: number; readonly p99: number }
  readonly cpuMs: number
}

const execute = promisify(execFile)
const REPORT = 'HUSHGATE BENCH '
/** Of the number in an event ID. */
const DIGITS = 12

/** A wrk for each address. */
export async function runWrk(options: WrkOptions): Promise<WrkReport> {
  const { urls, run } = options
  const connections = Math.ceil(options.connections / urls.length)
  const reports = await Promise.all(
    urls.map((url, index) =>
      runOne(url, { ...options, connections, run: index === 0 ? run : `${run}-${index}` }, index / urls.length),
    ),
  )
  const total = (of: (report: WrkReport) => number): number => reports.reduce((sum, report) => sum + of(report), 0)
  const mean = (of: (report: WrkReport) => number): number => total(of) / reports.length
  return {
    accepted: total(({ accepted }) => accepted),
    failed: total(({ failed }) => failed),
    seconds: mean(({ seconds }) => seconds),
    latencyMs: { p50: mean(({ latencyMs }) => latencyMs.p50), p99: mean(({ latencyMs }) => latencyMs.p99) },
    cpuMs: total(({ cpuMs }) => cpuMs),
  }
}

/** `share`: of the pushkeys, from where on they are used. */
async function runOne(url: string, options: WrkOptions, share: number): Promise<WrkReport> {
  const { connections, seconds, run } = options
  const scriptFile = `${options.scriptFile}-${run}`
  writeFileSync(scriptFile, script(url, options, share))
  const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '20s', '-s', scriptFile, url]
  // `times` tells what the children of this shell have used.
  const { stdout } = await execute('bash', ['-c', 'wrk "$@"; times', 'bash', ...args], {
    env: { PATH: process.env['PATH'] },
  })
  const line = stdout.split('\n').find((text) => text.startsWith(REPORT))
  if (line === undefined) throw new Error(`wrk said nothing that can be read:\n${stdout}`)
  const { requests, status, socket, durationUs, p50Us, p99Us } = JSON.parse(line.slice(REPORT.length))
  return {
    accepted: requests - status,
    failed: status + socket,
    seconds: durationUs / 1e6,
    latencyMs: { p50: p50Us / 1000, p99: p99Us / 1000 },
    cpuMs: childrenCpuMs(stdout),
  }
}

/** The last line of `times`: user and system time, as 0m1.230s. */
function childrenCpuMs(stdout: string): number {
  const times =
    stdout
      .trimEnd()
      .split('\n')
      .at(-1)
      ?.matchAll(/(\d+)m([\d.]+)s/g) ?? []
  return [...times].reduce(
    (total, [, minutes, seconds]) => total + Number(minutes) * 60_000 + Number(seconds) * 1000,
    0,
  )
}

/** A request is put together as text: what wrk does itself costs it half as much again. */
function script(url: string, { devicesFile, devicesPerRequest, run }: WrkOptions, share: number): string {
  const { host, pathname } = new URL(url)
  const eventPrefix = eventId(run, 0).slice(0, -DIGITS)
  return `
local devices, heads, count, at = {}, {}, 0, 0
function init()
  for line in io.lines(${quoted(devicesFile)}) do devices[#devices + 1] = line end
  at = math.floor(#devices * ${share})
end
local function device()
  at = at % #devices + 1
  return devices[at]
end
local function headOf(length)
  local head = heads[length]
  if not head then
    head = ${quoted(`POST ${pathname} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nContent-Length: `)} .. length .. "\\r\\n\\r\\n"
    heads[length] = head
  end
  return head
end
function request()
  count = count + 1
  local to = device()
  for _ = 2, ${devicesPerRequest} do to = to .. "," .. device() end
  local body = string.format(${quoted(`${BODY.start}${eventPrefix}%0${DIGITS}d${BODY.room}%06d${BODY.devices}`)}, count, count % ${ROOMS}) .. to .. ${quoted(BODY.end)}
  return headOf(#body) .. body
end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format('\\n${REPORT}{"requests":%d,"status":%d,"socket":%d,"durationUs":%d,"p50Us":%d,"p99Us":%d}\\n',
    summary.requests, e.status, e.connect + e.read + e.write + e.timeout, summary.duration, latency:percentile(50), latency:percentile(99)))
end
`
}

/** A text of Lua, for which JSON's escapes of what is in ours are the same. */
function quoted(text: string): string {
  return JSON.stringify(text)
}
