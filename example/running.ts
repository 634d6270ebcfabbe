/** Something that was started. */
export interface Running {
  /** Stops it, and waits until it has. */
  stop(): Promise<void>
}
