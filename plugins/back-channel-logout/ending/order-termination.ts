import { randomBytes } from 'node:crypto'
import type { AccountKeys, EventStore, KeyRing, NewCommit } from '../../../lib/index.ts'
import { signOutEvent } from '../../../lib/provider/sign-outs.ts'
import { terminationStream } from '../recording/index-streams.ts'
import {
  type OrderReason,
  type TerminationTarget,
  terminationJobsStream,
  toTerminationEvent,
} from './termination-events.ts'
import { grantsWithSession } from './termination-job.ts'

/** Whose sessions are to end, as the caller says it. */
export type Whose =
  | {
      readonly kind: 'account'
      readonly accountId: string
      /** Only its logins and grants at this client; the sessions live on. */
      readonly clientId?: string
      /** The uid of a session that goes on, with the grants that its logins stand on. */
      readonly except?: string
    }
  | { readonly kind: 'client'; readonly clientId: string }
  | { readonly kind: 'all' }

/** A termination that is to be ordered. */
export interface NewOrder {
  readonly id: string
  /** As the work has it: what it says of an account is sealed with the ring. */
  readonly target: TerminationTarget
  readonly commit: NewCommit
}

/**
 * What orders a termination: what it begins with is that nobody logs in any more who began before. Whoever
 * carries it out finds it in the log.
 */
export async function newOrder(
  { store, accountKeys }: { readonly store: EventStore; readonly accountKeys: AccountKeys },
  issuer: string,
  whose: Whose,
  { reason, actor }: { readonly reason: OrderReason; readonly actor: string },
): Promise<NewOrder> {
  const { id, target } = newTarget(store.keys, whose)
  const stream = terminationStream(id)
  const sealed =
    whose.kind === 'account'
      ? await accountKeys.seal(whose.accountId, stream, { issuer, accountId: whose.accountId })
      : ''
  const accountId = whose.kind === 'account' ? whose.accountId : undefined
  const isWhole = whose.kind === 'all' || (whose.kind === 'account' && whose.clientId === undefined)
  const endsGrants = grantsWithSession({ target, reason }) === 'all'
  const signOut = isWhole ? [signOutEvent(store, issuer, accountId, { reason, actor }, endsGrants)] : []
  const ordered = toTerminationEvent(
    id,
    { type: 'termination.ordered', target: targetOf(whose, () => sealed), reason, actor },
    [terminationJobsStream(issuer)],
  )
  return { id, target, commit: { events: [ordered, ...signOut], meta: { instance: issuer, actor } } }
}

/** A name for a termination, and its target as the work has it. */
export function newTarget(keys: KeyRing, whose: Whose): Pick<NewOrder, 'id' | 'target'> {
  const id = randomBytes(12).toString('base64url')
  return { id, target: targetOf(whose, (accountId) => keys.seal(accountId, terminationStream(id))) }
}

function targetOf(whose: Whose, seal: (accountId: string) => string): TerminationTarget {
  switch (whose.kind) {
    case 'account':
      return {
        kind: 'account',
        account: seal(whose.accountId),
        ...(whose.clientId !== undefined && { client_id: whose.clientId }),
        ...(whose.except !== undefined && { except: whose.except }),
      }
    case 'client':
      return { kind: 'client', client_id: whose.clientId }
    case 'all':
      return { kind: 'all' }
  }
}
