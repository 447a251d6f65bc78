/** Removes what is remembered under a key, for an operator who wants to know whether there was anything. */
import type { Memory, Owner } from '../store/contract.ts'

export async function forgetEntry(memory: Pick<Memory, 'get' | 'delete'>, owner: Owner, key: string): Promise<boolean> {
  const isKnown = (await memory.get(owner, key)) !== undefined
  await memory.delete(owner, key)
  return isKnown
}
