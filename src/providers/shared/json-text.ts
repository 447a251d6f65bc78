/** Text from outside that ought to be a JSON object. */
import { isJsonObject, type JsonObject } from '../../core/json.ts'

/** Undefined for anything else. */
export function jsonObjectOf(text: string): JsonObject | undefined {
  // Most answers are empty, and an error costs more than all else that is done with one.
  if (text === '') return undefined
  try {
    const value: unknown = JSON.parse(text)
    return isJsonObject(value) ? value : undefined
  } catch {
    return undefined
  }
}
