/** Requests made up at random, by a machine that knows what a notification looks like and holds to nothing. */
import fc from 'fast-check'

/** Names that mean something to JavaScript, and so to careless code. */
export const PROTOTYPE_NAMES = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'valueOf',
  'then',
]

/** Fields of a notification that hold text. */
export const TEXT_FIELDS =
  'event_id id room_id type sender sender_display_name room_name room_alias membership ephemeral ciphertext mac'.split(
    ' ',
  )

/** JSON as text, so that it can hold what no JavaScript value can: keys twice, numbers beyond any, halves of characters. */
const name = fc.oneof(
  fc.constantFrom(...PROTOTYPE_NAMES, 'event_id', 'devices', 'data', 'default_payload', 'aps', 'alert', 'loc-args'),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.string({
    unit: fc.constantFrom('\ud800', '\udfff', 'é', '\u{1f600}', '\u0301', '"', '\\', '\0', '\u2028'),
    maxLength: 20,
  }),
)
const string = name.map((text) => JSON.stringify(text))
const number = fc.oneof(
  fc.constantFrom('1e999', '-1e999', '1e-999', '-0', '9007199254740993', '123456789012345678901234567890', '1.5'),
  fc.integer().map(String),
)
const members = (entries: readonly (readonly [string, string])[]): string =>
  `{${entries.map(([key, value]) => `${JSON.stringify(key)}:${value}`).join()}}`
const { value } = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: 'small', withCrossShrink: true },
    string,
    number,
    fc.constantFrom('null', 'true', 'false'),
    fc.array(tie('value'), { maxLength: 4 }).map((list) => `[${list.join()}]`),
    fc.array(fc.tuple(name, tie('value')), { maxLength: 4 }).map(members),
  ),
}))
/** Any of the known fields, mostly of the right type, with others in between. */
const object = (fields: Readonly<Record<string, fc.Arbitrary<string>>>): fc.Arbitrary<string> => {
  const known = Object.entries(fields).map(([field, right]) =>
    fc.tuple(fc.constant(field), fc.oneof({ weight: 4, arbitrary: right }, value)),
  )
  const entry = fc.oneof({ weight: 6, arbitrary: fc.oneof(...known) }, fc.tuple(name, value))
  return fc.array(entry, { maxLength: 12 }).map(members)
}
const pushkey = fc.uuid().map((uuid) => JSON.stringify(Buffer.from(uuid).toString('base64url')))
const pusherData = object({
  format: fc.constant('"event_id_only"'),
  default_payload: object({
    cs: string,
    session_id: string,
    aps: object({ alert: object({ 'loc-args': value }), sound: string }),
  }),
})
const appId = fc.constantFrom(
  'com.example.ios',
  'com.example.android',
  'com.example.ids.x',
  'com.example.hush.x',
  ...PROTOTYPE_NAMES,
)
const madeUpDevice = fc
  .tuple(appId, pushkey, object({ pushkey_ts: number, data: pusherData, tweaks: value }))
  .map(([app, key, rest]) => `{"app_id":"${app}","pushkey":${key}${rest === '{}' ? '' : ','}${rest.slice(1)}`)
const madeUpNotification = fc
  .tuple(
    fc.oneof(
      { weight: 9, arbitrary: fc.array(madeUpDevice, { maxLength: 3 }).map((list) => `[${list.join()}]`) },
      value,
    ),
    object({
      ...Object.fromEntries(TEXT_FIELDS.map((field) => [field, string])),
      prio: fc.constantFrom('"high"', '"low"'),
      user_is_target: fc.constant('true'),
      content: object({ body: string, msgtype: fc.constant('"m.image"'), ciphertext: string }),
      counts: object({ unread: number, missed_calls: number }),
    }),
  )
  .map(([list, rest]) => `{"devices":${list}${rest === '{}' ? '' : ','}${rest.slice(1)}`)
/** A body; its devices belong to the apps of `wrong-requests`. */
export const madeUpBody = fc.oneof(
  { weight: 20, arbitrary: madeUpNotification.map((notification) => `{"notification":${notification}}`) },
  {
    weight: 1,
    arbitrary: fc.tuple(madeUpNotification, fc.nat(200)).map(([text, end]) => `{"notification":${text.slice(0, end)}`),
  },
  { weight: 1, arbitrary: value },
)
