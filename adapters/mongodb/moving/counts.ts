/** What became of the documents of a model. */
export interface ModelCounts {
  /** Documents that were read. */
  read: number
  /** Written by this pass; in a dry run: that would be. */
  stored: number
  /** In the log already, as they are. */
  same: number
  /** Not taken: the OP on the log has written or ended them itself, or revoked their grant. */
  kept: number
  /** Not taken: an older state of a session that was taken. */
  older: number
  /** Left behind: they have expired. */
  expired: number
  /** Left behind, for what the anomalies tell. */
  left: number
  /** Ended in the log, since they are not in the source any more. */
  ended: number
}

/** The counts of each model. */
export class Counts {
  readonly #models = new Map<string, ModelCounts>()

  of(model: string): ModelCounts {
    let counts = this.#models.get(model)
    if (!counts) {
      counts = { read: 0, stored: 0, same: 0, kept: 0, older: 0, expired: 0, left: 0, ended: 0 }
      this.#models.set(model, counts)
    }
    return counts
  }

  list(): Record<string, ModelCounts> {
    return Object.fromEntries(
      [...this.#models].sort(([a], [b]) => (a < b ? -1 : 1)).map(([model, counts]) => [model, { ...counts }]),
    )
  }
}
