/** What firebase-admin finds wrong with the operator's part of a message, when the configuration is read. The only import of that SDK; it sends nothing. */
import { randomUUID } from 'node:crypto'
import { deleteApp, initializeApp } from 'firebase-admin/app'
import { getMessaging, type Message } from 'firebase-admin/messaging'
import { isJsonObject, type JsonObject } from '../../core/json.ts'
import { ttlSeconds } from './static-options.ts'

/** `message`: as Google's REST reference has it, without a target. Resolves with a sentence, or undefined when all is right. */
export async function mistakeOf(message: JsonObject): Promise<string | undefined> {
  let isTaken = false
  const credential = {
    async getAccessToken(): Promise<never> {
      // The message has been checked by now, and without a token nothing is sent.
      isTaken = true
      throw new Error('nothing is to be sent')
    },
  }
  const app = initializeApp({ projectId: 'example-project', credential }, `check-${randomUUID()}`)
  try {
    await getMessaging(app).send(toSdk(message))
  } catch (error) {
    return isTaken || !(error instanceof Error) ? undefined : error.message
  } finally {
    await deleteApp(app)
  }
  return undefined
}

/** The SDK wants `ttl` in milliseconds. Its types have camel case where the wire has not, and it takes both. */
function toSdk(fields: JsonObject): Message {
  const { android } = fields
  const seconds = isJsonObject(android) ? ttlSeconds(android['ttl']) : undefined
  const inSdkUnits =
    isJsonObject(android) && seconds !== undefined ? { android: { ...android, ttl: seconds * 1000 } } : {}
  return { ...fields, ...inSdkUnits, token: 'a-token' }
}
