/** What a kubelet says of a pod and its containers. Pure. */
import { constants } from 'node:os'
import type { JsonObject, JsonValue } from '../../../../src/core/json.ts'
import type { Ended } from '../../../helpers/logged-process.ts'
import { pick, pickText } from '../chart.ts'

export interface ContainerState {
  readonly startedAt: string
  readonly isReady: boolean
  /** Undefined while it runs. */
  readonly ended: JsonObject | undefined
  /** How its process before this one ended. */
  readonly endedBefore: JsonObject | undefined
  readonly restarts: number
}

/** A container's end, as `kubectl describe pod` shows it. */
export function endOf({ code, signal }: Ended, startedAt: string, finishedAt: string): JsonObject {
  const exitCode = signal === null ? (code ?? 0) : 128 + constants.signals[signal]
  return { exitCode, reason: exitCode === 0 ? 'Completed' : 'Error', startedAt, finishedAt }
}

export function podStatus(
  containers: readonly (readonly [JsonValue, ContainerState])[],
  startTime: string,
): JsonObject {
  const states = containers.map(([, state]) => state)
  const isOver = states.every(({ ended }) => ended !== undefined)
  const isWell = states.every(({ ended }) => pick(ended, 'exitCode') === 0)
  const isReady = states.every((state) => state.isReady)
  return {
    phase: isOver ? (isWell ? 'Succeeded' : 'Failed') : 'Running',
    startTime,
    podIP: '127.0.0.1',
    podIPs: [{ ip: '127.0.0.1' }],
    conditions: ['Initialized', 'PodScheduled', 'ContainersReady', 'Ready'].map((type) => ({
      type,
      status: isReady || !type.endsWith('Ready') ? 'True' : 'False',
    })),
    containerStatuses: containers.map(([container, state]) => ({
      name: pickText(container, 'name'),
      image: pickText(container, 'image'),
      imageID: '',
      ready: state.isReady,
      started: state.ended === undefined,
      restartCount: state.restarts,
      state: state.ended === undefined ? { running: { startedAt: state.startedAt } } : { terminated: state.ended },
      lastState: state.endedBefore === undefined ? {} : { terminated: state.endedBefore },
    })),
  }
}
