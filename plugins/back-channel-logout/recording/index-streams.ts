import type { KeyRing } from '../../../lib/index.ts'

/*
 * The streams by which facts of session logouts are found, besides the session's own. Each costs an entry in the log's
 * index. Accounts and clients are hashed, as for oidc-provider's models; issuers are public, and stay in the clear.
 */

/** What concerns an account: also its sessions and grants. */
export function accountStreams(keys: KeyRing, accountId: string): string[] {
  return keys.streams('account', accountId)
}

/** What concerns a client: the logins that were registered for it, and their ends. */
export function clientStreams(keys: KeyRing, clientId: string): string[] {
  return keys.streams('client', clientId)
}

/** Every end of a session, or of a part of one, in the name of this issuer. */
export function endsStream(issuer: string): string {
  return `session_logouts:${issuer}`
}

/** Every delivery of this issuer that became a dead letter, and every dead letter that was replayed. */
export function deadLettersStream(issuer: string): string {
  return `dead_letters:${issuer}`
}

/** Those that one client was to get. The name of a lane: an issuer holds no space. */
export function deadLettersOfClientStream(issuer: string, clientId: string): string {
  return `dead_letters:${issuer} ${clientId}`
}

/** What a registration is found by. */
export function registrationStreams(keys: KeyRing, clientId: string, accountId: string): string[] {
  return [...accountStreams(keys, accountId), ...clientStreams(keys, clientId)]
}

/**
 * What an end is found by.
 *
 * @param clientIds - the clients of the logins that end, each once or more
 */
export function endStreams(
  keys: KeyRing,
  issuer: string,
  accountId: string | undefined,
  clientIds: Iterable<string>,
): string[] {
  return [
    endsStream(issuer),
    ...(accountId === undefined ? [] : accountStreams(keys, accountId)),
    ...[...new Set(clientIds)].flatMap((clientId) => clientStreams(keys, clientId)),
  ]
}

/** What a dead letter is found by, and its replay. */
export function deadLetterStreams(issuer: string, clientId: string): string[] {
  return [deadLettersStream(issuer), deadLettersOfClientStream(issuer, clientId)]
}

/** The stream of one termination job: that it was given, each end that it has caused, that it is completed. */
export function terminationStream(id: string): string {
  return `termination:${id}`
}

/** That an order is completed: ends that were in flight in a process taken for dead may come after it in the order's own. */
export function completionStream(id: string): string {
  return `termination_completed:${id}`
}

export function terminationOfStream(stream: string): string | undefined {
  return stream.startsWith('termination:') ? stream.slice('termination:'.length) : undefined
}
