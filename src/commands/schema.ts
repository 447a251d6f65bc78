/** `hushgate schema`: the JSON Schema of the configuration file, for editors and for Helm. */
import { configSchema } from '../config/json-schema.ts'
import type { ProviderKinds } from '../config/schema.ts'

export interface SchemaOptions {
  readonly kinds: ProviderKinds
  readonly stdout: NodeJS.WritableStream
}

/** The exit code, as from every command. */
export function schema({ kinds, stdout }: SchemaOptions): number {
  stdout.write(`${JSON.stringify(configSchema(kinds), null, 2)}\n`)
  return 0
}
