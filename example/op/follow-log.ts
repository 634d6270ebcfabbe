import type { Commit, EventStore, Logger } from 'oidc-provider-eventstore'

/** Follows the log from a position on, until it is stopped. */
export function followLog(
  store: EventStore,
  after: number,
  handle: (commits: readonly Commit[]) => void,
  logger: Logger,
): { stop(): Promise<void> } {
  const stopping = new AbortController()
  const follow = async (): Promise<void> => {
    for await (const commits of store.subscribe({ after, signal: stopping.signal })) handle(commits)
  }
  const following = follow().catch((err) => logger.error({ err }, 'the page of the log stands still'))
  return {
    async stop() {
      stopping.abort()
      await following
    },
  }
}
