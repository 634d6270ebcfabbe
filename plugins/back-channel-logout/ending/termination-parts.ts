import type { Host } from '../../../lib/index.ts'
import type { ToldClients } from '../clients/told-clients.ts'
import type { OidcProvider } from '../provider-internals.ts'

/** What a job is carried out with. */
export interface TerminationParts {
  readonly host: Host
  readonly provider: OidcProvider
  readonly clients: ToldClients
  readonly isOn: () => boolean
  /** How much later than it says any process of the provider may still take a session or a grant, in seconds. */
  readonly toleranceSeconds: number
}

/** What a job is previewed with. */
export interface PreviewParts extends Pick<TerminationParts, 'isOn' | 'toleranceSeconds'> {
  readonly host: Pick<Host, 'store' | 'clock' | 'terminator'>
  readonly clients: Pick<ToldClients, 'find'>
}

/** So many sessions or grants are looked at before it is written down how far a job got. */
export const PAGE = 256

/** So many sessions or grants are looked at or ended at a time: enough to share the commands of the store. */
export const AT_ONCE = 32

/** So many sessions are remembered: one may be met in the index and in the log. */
export const REMEMBERED = 20_000
