/** Text from outside that ought to be a JSON object. */
import { isJsonObject, type JsonObject } from '../../core/json.ts'

/** Undefined for anything else. */
export function jsonObjectOf(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isJsonObject(value) ? value : undefined
  } catch {
    return undefined
  }
}
