/** Asks the same of many: what goes in one write to the socket costs a fraction of as many writes. */
import { isCluster, type Client } from './connection.ts'

type Pipeline = ReturnType<Client['pipeline']>

/** Redis serves nobody else meanwhile. */
const AT_ONCE = 32

/** `ask`: adds one command. Resolves with the replies in the order of the questions; rejects when one of them failed. */
export async function askEach<Question>(
  client: Client,
  questions: readonly Question[],
  ask: (pipeline: Pipeline, question: Question) => unknown,
): Promise<readonly unknown[]> {
  // A Cluster takes no keys of two slots.
  const size = isCluster(client) ? 1 : AT_ONCE
  const groups = Array.from({ length: Math.ceil(questions.length / size) }, (_, index) =>
    questions.slice(index * size, (index + 1) * size),
  )
  const replies = await Promise.all(
    groups.map((group) => {
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
