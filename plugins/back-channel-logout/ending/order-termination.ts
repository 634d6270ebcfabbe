import { randomBytes } from 'node:crypto'
import type { EventStore, NewCommit } from '../../../lib/index.ts'
import { signOutEvent } from '../../../lib/provider/sign-outs.ts'
import { terminationStream } from '../recording/index-streams.ts'
import {
  type TerminationReason,
  type TerminationTarget,
  terminationJobsStream,
  toTerminationEvent,
} from './termination-events.ts'

/** Whose sessions are to end, as the caller says it. */
export type Whose =
  | { readonly kind: 'account'; readonly accountId: string }
  | { readonly kind: 'client'; readonly clientId: string }
  | { readonly kind: 'all' }

/** A termination that is to be ordered. */
export interface NewOrder {
  readonly id: string
  readonly target: TerminationTarget
  readonly commit: NewCommit
}

/**
 * The commit that orders a termination: what it begins with is that nobody logs in any more who began before. Whoever
 * carries it out finds it in the log.
 */
export function newOrder(
  store: EventStore,
  issuer: string,
  whose: Whose,
  { reason, actor }: { readonly reason: TerminationReason; readonly actor: string },
): NewOrder {
  const id = randomBytes(12).toString('base64url')
  const target = targetOf(store, whose, terminationStream(id))
  const accountId = whose.kind === 'account' ? whose.accountId : undefined
  const signOut = whose.kind === 'client' ? [] : [signOutEvent(store, issuer, accountId, { reason, actor })]
  const ordered = toTerminationEvent(id, { type: 'termination.ordered', target, reason, actor }, [
    terminationJobsStream(issuer),
  ])
  return { id, target, commit: { events: [ordered, ...signOut], meta: { instance: issuer, actor } } }
}

function targetOf(store: EventStore, whose: Whose, stream: string): TerminationTarget {
  switch (whose.kind) {
    case 'account':
      return { kind: 'account', account: store.keys.seal(whose.accountId, stream) }
    case 'client':
      return { kind: 'client', client_id: whose.clientId }
    case 'all':
      return { kind: 'all' }
  }
}
