/** The options of `payload_style: hedwig`, named and set as in Hedwig's sample configuration (docs/facts/peers.md#options-of-hedwig). */
import Type, { type Static } from 'typebox'

const TITLE = '<count> unread rooms'
const BODY = 'Open app to read the messages, <count> unread messages'
const SOUND = 'default'
const CLICK_ACTION = 'FLUTTER_NOTIFICATION_CLICK'
const ICON = 'notifications_icon'
const TAG = 'org.matrix.default_notification'
const CHANNEL_ID = 'org.matrix.app.message'

const closed = { additionalProperties: false } as const

function text(description: string, fallback?: string) {
  const isDefault = fallback === undefined ? {} : { default: fallback }
  return Type.Optional(Type.String({ minLength: 1, maxLength: 256, description, ...isDefault }))
}

function flag(description: string) {
  return Type.Optional(Type.Boolean({ description }))
}

function zeroOrOne(description: string) {
  return Type.Optional(Type.Union([Type.Literal(0), Type.Literal(1)], { default: 1, description }))
}

/** projects.messages, AndroidNotification: firebase.google.com/docs/reference/fcm/rest/v1/projects.messages */
const android = Type.Object(
  {
    icon: text('Name of the drawable resource.', ICON),
    tag: text('A newer notification takes the place of an older one with the same tag.', TAG),
    channel_id: text('Notification channel of the app.', CHANNEL_ID),
    color: Type.Optional(
      Type.String({ pattern: '^#[0-9A-Fa-f]{6}$', description: 'Colour of the icon, as "#rrggbb" (quoted).' }),
    ),
    sticky: flag('Stays when it is tapped.'),
    local_only: flag('Is not shown on a watch.'),
    default_vibrate_timings: flag("Vibrates by the system's pattern."),
    default_light_settings: flag("Blinks by the system's settings."),
    notification_priority: Type.Optional(
      Type.Enum(['PRIORITY_MIN', 'PRIORITY_LOW', 'PRIORITY_DEFAULT', 'PRIORITY_HIGH', 'PRIORITY_MAX'], {
        description: 'How urgent the notification is among others, before Android 8.',
      }),
    ),
    visibility: Type.Optional(
      Type.Enum(['PRIVATE', 'PUBLIC', 'SECRET'], { description: 'What the lock screen shows of it.' }),
    ),
  },
  {
    ...closed,
    description: 'How Android shows the notification of a pusher whose data_message is neither for Android nor ios.',
  },
)

/** developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns */
const apnsHeaders = Type.Object(
  {
    apns_push_type: Type.Optional(
      Type.Enum(['alert', 'background'], { description: 'What Apple takes the push for. Default: FCM decides.' }),
    ),
    apns_priority: Type.Optional(Type.Enum(['5', '10'], { description: 'Quoted. Default: FCM decides.' })),
    apns_topic: text("The app's bundle ID. Default: the one that Firebase knows."),
    apns_collapse_id: Type.Optional(
      Type.String({
        pattern: '^[!-~]{1,64}$',
        description: 'A newer notification takes the place of an older one with the same identifier.',
      }),
    ),
  },
  { ...closed, description: 'Headers that FCM passes on to APNs.' },
)

const apnsPayload = Type.Object(
  {
    category: text('Category of notification, which decides its actions.'),
    mutable_content: zeroOrOne("1: the app's notification service extension may change the notification."),
    content_available: zeroOrOne('1: wakes the app.'),
  },
  { ...closed, description: 'What FCM passes on to APNs in aps.' },
)

export const hedwigOptions = Type.Object(
  {
    notification_title: text(
      'Title of a visible notification. <count> (or {count}) becomes the number of unread messages.',
      TITLE,
    ),
    notification_body: text('Its text, likewise.', BODY),
    notification_sound: text('Its sound.', SOUND),
    notification_click_action: text('What a tap does on Android.', CLICK_ACTION),
    notification_android: Type.Optional(android),
    apns_headers: Type.Optional(apnsHeaders),
    apns_payload: Type.Optional(apnsPayload),
  },
  {
    ...closed,
    description: "With payload_style: hedwig: what is visible, named as in Hedwig's configuration.",
  },
)
export type HedwigOptions = Static<typeof hedwigOptions>

export const HEDWIG_DEFAULTS = {
  notification_title: TITLE,
  notification_body: BODY,
  notification_sound: SOUND,
  notification_click_action: CLICK_ACTION,
  notification_android: { icon: ICON, tag: TAG, channel_id: CHANNEL_ID },
  apns_payload: { mutable_content: 1, content_available: 1 },
} as const
