/** Time that passes when a test says so. */
export class Clock {
  /** Epoch, ms. */
  ms = Date.parse('2026-11-20T12:00:00Z')
  readonly nowMs = (): number => this.ms

  pass(ms: number): void {
    this.ms += ms
  }
}
