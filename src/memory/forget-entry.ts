/** Removes what is remembered under a key, for an operator who wants to know whether there was anything. */
import type { Memory } from '../store/contract.ts'

export async function forgetEntry(memory: Pick<Memory, 'get' | 'delete'>, key: string): Promise<boolean> {
  const isKnown = (await memory.get(key)) !== undefined
  await memory.delete(key)
  return isKnown
}
