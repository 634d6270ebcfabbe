import type { Commit } from './commit.ts'

/** What somebody who keeps what he has read of the log is told. */
export interface FollowListener {
  /** A commit of this process was acknowledged. */
  appended(commit: Commit): void
  /** Commits were found, by whomever; some may have been told of before. In the order of the log. */
  found(commits: readonly Commit[]): void
  /** Something that this version cannot read lies in these streams. */
  unreadable(streams: readonly string[]): void
  /**
   * What was kept is worth nothing any more: a fail-over may have undone some of it, or more was appended than is read.
   */
  startOver(): void
}

/** The newest commits of some streams. */
export interface NewestOfStreams {
  /** Each once, newest first. */
  readonly commits: readonly Commit[]
  /** Whether the streams hold no others. */
  readonly isComplete: boolean
}

/**
 * Follows the log for somebody who keeps streams that he has read. Nothing is read of its own accord: whoever reads learns
 * what was appended since the last time, with the same command.
 */
export interface Follower {
  /**
   * Whether the listener is told of everything that is appended from now on, until it is told to start over. Streams that
   * are read meanwhile may be kept.
   */
  readonly isFollowing: boolean

  /**
   * The newest commits that name any of these streams, `limit` of them or a few more; none, and no command of its own,
   * for no streams while nothing is followed. While something is, the listener has been told of every append that was
   * acknowledged before the call, by any process, when this resolves: or to start over.
   *
   * @throws as `EventStore.readStreams`
   */
  read(streams: readonly string[], limit: number): Promise<NewestOfStreams>

  /** The listener is told nothing any more. */
  close(): void
}
