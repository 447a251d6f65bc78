/** What this process has parked, by group. A restart forgets it; then each is handed out at its own time. */

/** Of all groups together. The oldest beyond that are handed out at their own time. */
const MAX_PARKED = 200_000

export class Parked<Id> {
  readonly #groups = new Map<string, Set<Id>>()
  /** In the order in which they were parked. */
  readonly #groupOf = new Map<Id, string>()

  add(group: string, id: Id): void {
    this.delete(id)
    this.#groupOf.set(id, group)
    const ids = this.#groups.get(group)
    if (ids === undefined) this.#groups.set(group, new Set([id]))
    else ids.add(id)
    const [oldest] = this.#groupOf.keys()
    if (this.#groupOf.size > MAX_PARKED && oldest !== undefined) this.delete(oldest)
  }

  /** It is handed out. */
  delete(id: Id): void {
    const group = this.#groupOf.get(id)
    if (group === undefined) return
    this.#groupOf.delete(id)
    const ids = this.#groups.get(group)
    ids?.delete(id)
    if (ids?.size === 0) this.#groups.delete(group)
  }

  /** All of the group, or of all groups, which are forgotten. */
  take(group?: string): readonly Id[] {
    const ids = group === undefined ? [...this.#groupOf.keys()] : [...(this.#groups.get(group) ?? [])]
    for (const id of ids) this.delete(id)
    return ids
  }
}
