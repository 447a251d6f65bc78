/** When an app's pushes may leave, and what of that cannot be: `coalesce`, `release_every`, `placeholder_ids`. */
import type { JsonObject } from '../core/json.ts'
import type { Ringing } from '../core/provider.ts'
import type { Timing } from '../core/timing.ts'
import type { SettingPath } from './config-error.ts'
import type { Loading } from './loading.ts'
import { parseDurationMs } from './units.ts'

interface TimedApp {
  readonly at: SettingPath
  readonly isMinimal: boolean
  /** Of an app of which every push rings. */
  readonly ringing: Ringing | undefined
  readonly maxAgeMs: number | undefined
}

/** What the schema of the section cannot say; of a setting that is wrong already, nothing more. */
export function reportTimingMistakes(
  section: JsonObject,
  { at, isMinimal, ringing, maxAgeMs }: TimedApp,
  loading: Loading,
): void {
  const report = (option: string, message: string): void => {
    if (!loading.isReported([...at, option])) loading.report([...at, option], message)
  }
  const isModeKnown = !loading.isReported(['privacy']) && !loading.isReported([...at, 'privacy'])
  if (isModeKnown && !isMinimal) {
    if (section['coalesce'] !== undefined)
      report(
        'coalesce',
        'is only for privacy: minimal, where one push says as much as the next; set that, or delete the line',
      )
    if (section['placeholder_ids'] === true)
      report(
        'placeholder_ids',
        'is only for privacy: minimal, as other modes pass on the real IDs; set that, or delete the line',
      )
  }
  warnOfLateCalls(section, at, loading)
  let longestMs = 0
  for (const option of ['coalesce', 'release_every']) {
    const delayMs = durationOf(section[option])
    if (delayMs === undefined) continue
    longestMs += delayMs
    if (ringing !== undefined)
      report(option, `is not for ${ringing.option}: ${ringing.value}, as a call must ring at once; delete the line`)
    else if (maxAgeMs !== undefined && 2 * longestMs > maxAgeMs)
      report(
        option,
        'lets pushes expire before they leave, or before they can be tried again: coalesce and release_every together must be at most half of queue.max_age',
      )
  }
}

/** Element X iOS: a call that is older is no call (docs/facts/apps.md#calls). */
const CALL_STALE_MS = 15_000

/** Where the homeserver sends no type (`format: event_id_only`, as most apps ask), a call waits like everything else. */
function warnOfLateCalls(section: JsonObject, at: SettingPath, loading: Loading): void {
  const releaseEveryMs = durationOf(section['release_every'])
  if (releaseEveryMs !== undefined && releaseEveryMs > CALL_STALE_MS)
    loading.warn(
      [...at, 'release_every'],
      'Element X does not ring for a call that is 15 seconds old, and a call is not seen to be one where the homeserver sends no type (event_id_only); take 15s or less where calls matter',
    )
}

export function timingOf(section: { readonly coalesce?: string; readonly release_every?: string }): Timing {
  return { coalesceMs: durationOf(section.coalesce), releaseEveryMs: durationOf(section.release_every) }
}

function durationOf(value: unknown): number | undefined {
  return typeof value === 'string' ? parseDurationMs(value) : undefined
}
