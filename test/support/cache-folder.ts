import { homedir } from 'node:os'
import { join } from 'node:path'

/**
 * Where test servers are kept between runs, outside the checkout so that a fresh clone finds them again. `.ci/run`
 * computes the same folder. `EVENTSTORE_TEST_CACHE` moves it.
 */
export function cacheFolder(): string {
  const parent = process.env.EVENTSTORE_TEST_CACHE ?? process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache')
  return join(parent, 'oidc-provider-eventstore')
}
