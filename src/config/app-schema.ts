/** The section of an app as a schema: of one with one push service, of one with several, and of each of these. */
import Type, { type TObject } from 'typebox'
import type { ProviderKind } from '../core/provider.ts'
import { PUSHKEY_SHAPES } from '../core/pusher-match.ts'
import { appCommon } from './schema.ts'
import { closed } from './settings.ts'

/** The section of an app of one kind. */
export function appSchema(type: string, kind: ProviderKind): TObject {
  return Type.Object(propertiesOf(type, kind), { ...closed, description: `An app with type: ${type}.` })
}

export const WHEN = 'when'

export const whenSchema = Type.Object(
  {
    pushkey: Type.Optional(
      Type.Enum(PUSHKEY_SHAPES, {
        description:
          'What the pushkey looks like: an https address (url), a JSON object (json), or anything else (token).',
      }),
    ),
    data: Type.Optional(
      Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean()]), {
        description: "Values that the pusher's data must have, by their keys, as in { platform: ios }.",
      }),
    ),
  },
  {
    ...closed,
    description:
      'Which pushers are for this push service; the first entry that fits is used. Default: those that look like it: a token, an https address, or data with an endpoint.',
  },
)

/** An entry of `providers`. */
export function entrySchema(type: string, kind: ProviderKind): TObject {
  const properties = { ...propertiesOf(type, kind), [WHEN]: Type.Optional(whenSchema) }
  return Type.Object(properties, { ...closed, description: `The push service ${type} of an app with several.` })
}

function propertiesOf(type: string, kind: ProviderKind) {
  return {
    type: Type.Literal(type, { description: 'The push service.' }),
    ...appCommon.properties,
    ...kind.options.properties,
  }
}

/** The section of an app with several push services, but for its entries, which depend on their `type` (`entrySchema`). */
export const severalSchema = Type.Object(
  {
    ...appCommon.properties,
    providers: Type.Array(Type.Unknown(), {
      minItems: 1,
      description:
        'The push services of an app that has several under one app_id, in the order in which they are tried: each is a section with its type, the settings of that, and when. A type occurs once. What every app has may stand beside the list, for all of them.',
    }),
  },
  { ...closed, description: 'An app with several push services.' },
)
