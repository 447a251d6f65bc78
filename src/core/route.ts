/** Where the pushes of an app go: the unit of queue, gate, rejection guard and metrics. */
export interface Route {
  /** Names the route in keys and columns of the store. Of an app with one push service, it is the app's name. */
  readonly name: string
  /** The app's configured name: an app_id, or a glob of them. */
  readonly app: string
  /** The push service, by the name that `type` has in the configuration. */
  readonly provider: string
}
