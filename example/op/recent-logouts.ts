import type { Commit } from 'oidc-provider-eventstore'
import type { BackChannelLogout, ReceiptEnd } from 'oidc-provider-eventstore/plugins/back-channel-logout'

/** The end of a session, or of one login in it, and which RPs were told. */
export interface RecentLogout extends ReceiptEnd {
  readonly sessionUid: string
}

const STREAM = 'session_logout:'

/** The sessions that ended last: a small projection of the log. The receipts themselves are the plugin's. */
export class RecentLogouts {
  readonly #logout: BackChannelLogout
  readonly #most: number
  /** Session uids, the one that ended last at the end. */
  readonly #uids = new Set<string>()

  constructor(logout: BackChannelLogout, most: number) {
    this.#logout = logout
    this.#most = most
  }

  /** Takes note of what the log says. */
  follow(commits: readonly Commit[]): void {
    for (const { stream, type } of commits.flatMap(({ events }) => events)) {
      if (type !== 'session_logout.terminated') continue
      const uid = stream.slice(STREAM.length)
      this.#uids.delete(uid)
      this.#uids.add(uid)
      const [oldest] = this.#uids
      if (this.#uids.size > this.#most && oldest !== undefined) this.#uids.delete(oldest)
    }
  }

  /** The newest first. */
  async list(): Promise<readonly RecentLogout[]> {
    const receipts = await Promise.all([...this.#uids].map((uid) => this.#logout.receipt(uid)))
    return receipts
      .flatMap(({ sessionUid, ends }) => ends.map((end) => ({ ...end, sessionUid })))
      .sort((a, b) => b.at - a.at)
      .slice(0, this.#most)
  }
}
