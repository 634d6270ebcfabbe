import { inParallel } from '../../../lib/in-parallel.ts'
import { inTime } from '../../../lib/in-time.ts'
import type { Clock, ProviderLike } from '../../../lib/index.ts'

/** An app, as people know it. Its name and address are what it says of itself. */
export interface App {
  readonly clientId: string
  /** Its `client_name`; where it has none, or cannot be looked up, its client id. */
  readonly name: string
  /** Its `client_uri`, where that is a web address. */
  readonly uri?: string
}

/** So many clients are looked up at a time, and for so long all together, in milliseconds. */
const AT_ONCE = 8
const PATIENCE_MS = 5_000

/** So many characters of a name are shown. */
const NAME_LIMIT = 100

/**
 * The apps of these client ids. An adapter of the application's own that fails or does not answer must not hide what
 * somebody wants to end: its clients are shown by their ids.
 */
export async function appsOf(
  { provider, clock }: { readonly provider: Pick<ProviderLike, 'Client'>; readonly clock: Clock },
  clientIds: Iterable<string>,
): Promise<ReadonlyMap<string, App>> {
  const apps = new Map<string, App>([...clientIds].map((clientId) => [clientId, { clientId, name: clientId }]))
  const lookups = inParallel([...apps.keys()], AT_ONCE, async (clientId) => {
    const client = await provider.Client.find(clientId).catch(() => undefined)
    if (client) apps.set(clientId, appOf(clientId, client))
  })
  await inTime(lookups, clock, PATIENCE_MS)
  return new Map(apps) // what comes later is not waited for
}

function appOf(clientId: string, client: object): App {
  const { clientName, clientUri } = client as { readonly clientName?: unknown; readonly clientUri?: unknown }
  const name = typeof clientName === 'string' ? clientName.trim() : ''
  return {
    clientId,
    name: name === '' ? clientId : [...name].slice(0, NAME_LIMIT).join(''),
    ...(isWebAddress(clientUri) && { uri: clientUri }),
  }
}

/** A client may register whatever it wants: a link must not run a script. */
function isWebAddress(uri: unknown): uri is string {
  return typeof uri === 'string' && URL.canParse(uri) && /^https?:$/.test(new URL(uri).protocol)
}
