/** Questions to a process of the bench's own, and their answers: one at a time each, over the channel that `fork` opens. */
import { fork, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'

type Operations = Readonly<Record<string, (argument: never) => unknown>>

interface Question {
  readonly id: number
  readonly name: string
  readonly argument: never
}

interface Reply<T> {
  readonly id: number
  readonly value: T
  readonly error?: string
}

/** What a process of these operations can be asked. */
export interface Helper<T extends Operations> {
  readonly pid: number
  ask<K extends keyof T & string>(name: K, argument: Parameters<T[K]>[0]): Promise<Awaited<ReturnType<T[K]>>>
  stop(): void
}

/** In the helper: answers until the other end goes away. */
export function answerQuestions(operations: Operations): void {
  process.on('message', (question: Question) => {
    void answer(operations, question)
  })
  process.on('disconnect', () => process.exit())
}

async function answer(operations: Operations, { id, name, argument }: Question): Promise<void> {
  try {
    const value = await operations[name]?.(argument)
    process.send?.({ id, value })
  } catch (error) {
    process.send?.({
      id,
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    })
  }
}

/** Starts a file of this folder. */
export function startHelper<T extends Operations>(file: string): Helper<T> {
  const child = fork(join(import.meta.dirname, file), { serialization: 'advanced', execArgv: [] })
  const stop = (): void => void child.kill('SIGKILL')
  process.once('exit', stop)
  let nextId = 0
  return {
    pid: child.pid ?? 0,
    ask: (name, argument) => ask(child, { id: (nextId += 1), name, argument }),
    stop() {
      process.off('exit', stop)
      stop()
    },
  }
}

function ask<T>(
  child: ChildProcess,
  question: Omit<Question, 'argument'> & { readonly argument: unknown },
): Promise<T> {
  return new Promise((resolve, reject) => {
    const end = (settle: () => void): void => {
      child.off('message', onMessage)
      child.off('exit', onExit)
      settle()
    }
    const onMessage = ({ id, value, error }: Reply<T>): void => {
      if (id === question.id) end(() => (error === undefined ? resolve(value) : reject(new Error(error))))
    }
    const onExit = (): void => end(() => reject(new Error(`${child.spawnargs.join(' ')} ended`)))
    child.on('message', onMessage)
    child.on('exit', onExit)
    child.send(question)
  })
}
