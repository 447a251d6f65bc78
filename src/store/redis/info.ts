/** What a Redis says of itself (INFO). */
import type { Node } from './connection.ts'

export type Section = 'memory' | 'persistence' | 'replication' | 'server'

/** Undefined where Redis does not tell; rejects where it does not answer. */
export async function infoOf(node: Node, section: Section): Promise<string | undefined> {
  try {
    return await node.info(section)
  } catch (error) {
    if (error instanceof Error && error.name === 'ReplyError') return undefined
    throw error
  }
}

export function fieldOf(info: string | undefined, name: string): string | undefined {
  const line = info?.split('\r\n').find((candidate) => candidate.startsWith(`${name}:`))
  return line?.slice(name.length + 1)
}
