/** What this process has parked, by group. A restart forgets it; then each is handed out at its own time. */

/** Of all groups together. What is beyond is handed out at its own time. */
const MAX_PARKED = 200_000

export class Parked<Id> {
  readonly #groups = new Map<string, Set<Id>>()
  readonly #groupOf = new Map<Id, string>()

  add(group: string, id: Id): void {
    if (this.#groupOf.size >= MAX_PARKED) return
    this.#groupOf.set(id, group)
    const ids = this.#groups.get(group)
    if (ids === undefined) this.#groups.set(group, new Set([id]))
    else ids.add(id)
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

  /** All of the group, which is forgotten. */
  take(group: string): readonly Id[] {
    const ids = [...(this.#groups.get(group) ?? [])]
    this.#groups.delete(group)
    for (const id of ids) this.#groupOf.delete(id)
    return ids
  }
}
