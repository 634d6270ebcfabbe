import type { JsonObject } from '../log/commit.ts'

/** Where something is set: for every issuer whose log this is, or for this one. */
export type Level = 'system' | 'instance'

/** Something that an operator did, as the log has it. */
export interface OperatorChange {
  readonly level: Level
  /** What, in the past tense: an event's type. */
  readonly type: string
  readonly data: JsonObject
  readonly actor: string
  /** When it was recorded, milliseconds since 1970. */
  readonly at: number
  /** Its place in the log. */
  readonly position: number
}

/** What is to be recorded of it. */
export type NewOperatorChange = Pick<OperatorChange, 'level' | 'type' | 'data' | 'actor'>

/** Told all that operators did of one kind, oldest first, whenever it was read. */
export type OperatorChangeListener = (acts: readonly OperatorChange[]) => void

/**
 * What operators set while the processes run. Acts of one kind lie in two streams of the log, `<kind>:system` and
 * `<kind>:instance:<issuer>`, which every process of the issuer follows: what one has set is known to all within about two
 * seconds, and to itself at once. While the store is away, what is known holds.
 */
export interface OperatorsState {
  /** From now on `heard` is told; `refresh()` tells it for the first time. Returns what ends that. */
  follow(kind: string, heard: OperatorChangeListener): () => void

  /** Reads now. Resolves when everybody was told of all that had been recorded before the call. */
  refresh(): Promise<void>

  /**
   * Records an act. Resolves when it is stored, and known in this process.
   *
   * @throws OptionInvalidError (`OPTION_INVALID`) for `level` and `actor`; ProviderUnfitError (`PROVIDER_UNFIT`) for an
   *   act at the level `instance` before `start()`; whatever the store throws
   */
  record(kind: string, act: NewOperatorChange): Promise<void>
}
