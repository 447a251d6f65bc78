/** The section `canary` as it is written. */
import Type from 'typebox'
import { closed, duration } from './settings.ts'

export const canaryEntrySchema = Type.Object(
  {
    app: Type.String({ minLength: 1, description: 'The app_id of the device, as its pusher has it.' }),
    pushkey_file: Type.String({
      minLength: 1,
      description: 'File with the pushkey of a device of your own; of Web Push, with its subscription as JSON.',
    }),
    data: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), { description: "The pusher's data, where the app needs them." }),
    ),
    every: Type.Optional(
      duration(undefined, '30s', '1h', 'How often one is sent, by all processes together. Default: 5m.'),
    ),
  },
  closed,
)

export const canarySchema = Type.Optional(
  Type.Array(canaryEntrySchema, {
    description:
      'Devices of your own that are sent a push on a schedule, through the queue like any other, so that an alert tells when none arrives any more (docs/operating.md). One for each app and push service. Default: none.',
  }),
)
