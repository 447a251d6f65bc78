/** The section of an app with `type: unifiedpush`. */
import Type, { type Static } from 'typebox'
import { caFile, httpsAddress, maxConnections } from '../shared/options.ts'

/** Four weeks, as for Web Push: many servers pass on to it. */
const MAX_TTL_SECONDS = 2_419_200

export const DEFAULT_TTL_SECONDS = 86_400
export const DEFAULT_CONNECTIONS = 20

const options = {
  allowed_endpoints: Type.Array(Type.String({ minLength: 1 }), {
    minItems: 1,
    description:
      "Hosts of the users' push servers (ntfy, NextPush, …), as globs. A push to another host is dropped, and its pushkey stays.",
  }),
  allow_private_endpoints: Type.Optional(
    Type.Array(Type.String({ minLength: 1 }), {
      default: [],
      description:
        'Names of hosts among them, as globs, that may have addresses in private networks. All others must have public ones.',
    }),
  ),
  catch_all: Type.Optional(
    Type.Boolean({
      default: false,
      description:
        'Takes pushes of any app_id that no app is configured for, if the pushkey is an https address on one of allowed_endpoints. The name of the app is then only a name.',
    }),
  ),
  ttl: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: MAX_TTL_SECONDS,
      default: 86_400,
      description: 'Seconds for which the push server keeps a push for a phone that is away.',
    }),
  ),
  max_connections: maxConnections(
    DEFAULT_CONNECTIONS,
    'Connections to each push server at once. On one with HTTP/2 go as many messages at a time as the push server says, with HTTP/1.1 one.',
  ),
  endpoint: httpsAddress(
    'Connects to this HTTPS address, whatever host an endpoint names; for tests. The host is still checked, still named in the request, and its certificate expected.',
  ),
  ca_file: caFile('push servers'),
}

export const unifiedPushOptions = Type.Object(options, { additionalProperties: false })
export type UnifiedPushOptions = Static<typeof unifiedPushOptions>
