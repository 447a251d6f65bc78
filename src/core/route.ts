/** Where the pushes of an app go: the unit of queue, gate, rejection guard and metrics. */
export interface Route {
  /** Names the route in keys and columns of the store (`routeName`). */
  readonly name: string
  /** The app's configured name: an app_id, or a glob of them. */
  readonly app: string
  /** The push service, by the name that `type` has in the configuration. */
  readonly provider: string
}

/** Of an app with one push service, the app's name. Of one of several, with the push service after a space, which no app's name has. */
export function routeName(app: string, provider: string, isOnly: boolean): string {
  return isOnly ? app : `${app} ${provider}`
}
