/** Apple's words for what it refuses, and the status that goes with each: "Handling notification responses from APNs". */

const STATUS = {
  BadCollapseId: 400,
  BadDeviceToken: 400,
  BadExpirationDate: 400,
  BadMessageId: 400,
  BadPriority: 400,
  BadTopic: 400,
  DeviceTokenNotForTopic: 400,
  DuplicateHeaders: 400,
  IdleTimeout: 400,
  InvalidPushType: 400,
  MissingDeviceToken: 400,
  MissingTopic: 400,
  PayloadEmpty: 400,
  TopicDisallowed: 400,
  BadCertificate: 403,
  BadCertificateEnvironment: 403,
  BadEnvironmentKeyInToken: 403,
  ExpiredProviderToken: 403,
  Forbidden: 403,
  InvalidProviderToken: 403,
  MissingProviderToken: 403,
  UnrelatedKeyIdInToken: 403,
  BadPath: 404,
  MethodNotAllowed: 405,
  ExpiredToken: 410,
  Unregistered: 410,
  PayloadTooLarge: 413,
  TooManyProviderTokenUpdates: 429,
  TooManyRequests: 429,
  InternalServerError: 500,
  ServiceUnavailable: 503,
  Shutdown: 503,
} as const

export type ApnsReason = keyof typeof STATUS

const STATUS_BY_REASON = new Map<string, number>(Object.entries(STATUS))
/** What a status alone stands for in a script. */
const REASON_BY_STATUS = new Map<number, string>([
  [403, 'Forbidden'],
  [404, 'BadPath'],
  [405, 'MethodNotAllowed'],
  [410, 'Unregistered'],
  [413, 'PayloadTooLarge'],
  [429, 'TooManyRequests'],
  [500, 'InternalServerError'],
  [503, 'ServiceUnavailable'],
])

export function statusOf(reason: string): number {
  return STATUS_BY_REASON.get(reason) ?? 400
}

export function reasonOf(status: number): string {
  return REASON_BY_STATUS.get(status) ?? 'InternalServerError'
}
