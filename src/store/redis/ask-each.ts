/** Asks the same of many: what goes in one write to the socket costs a fraction of as many writes. */
import type { Client } from './connection.ts'
import { groupsOf } from './occupied.ts'

type Pipeline = ReturnType<Client['pipeline']>

/** `ask`: adds one command. Resolves with the replies in the order of the questions; rejects when one of them failed. */
export async function askEach<Question>(
  client: Client,
  questions: readonly Question[],
  ask: (pipeline: Pipeline, question: Question) => unknown,
): Promise<readonly unknown[]> {
  const replies = await Promise.all(
    groupsOf(client, questions).map((group) => {
      const pipeline = client.pipeline()
      for (const question of group) ask(pipeline, question)
      return pipeline.exec()
    }),
  )
  return replies.flatMap((ofGroup) =>
    (ofGroup ?? []).map(([error, reply]) => {
      if (error !== null) throw error
      return reply
    }),
  )
}

/** The reply to a command that answers with a list; what is not there is empty. */
export function listIn(reply: unknown): readonly string[] {
  return Array.isArray(reply) ? reply.map((each) => (typeof each === 'string' ? each : '')) : []
}
