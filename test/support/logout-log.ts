import type { EventStore } from '../../lib/index.ts'
import type { DataKey } from '../../lib/secrets/key-ring.ts'
import { readLogout } from '../../plugins/back-channel-logout/recording/histories.ts'
import {
  deadLetterStreams,
  endStreams,
  registrationStreams,
} from '../../plugins/back-channel-logout/recording/index-streams.ts'
import {
  type Abandoned,
  type Registered,
  type SessionLogoutEvent,
  sessionLogoutStream,
  type Terminated,
  toEvent,
} from '../../plugins/back-channel-logout/recording/session-logout-events.ts'
import {
  abandoned,
  attemptFailed,
  owed,
  registered,
  registeredWithoutUri,
  rejected,
  sent,
  terminated,
} from './session-log.ts'

export const ISSUER = 'https://op.example.com'

interface InRound {
  readonly round?: number
}

/** Writes sessions and their ends to a log, as the requests and the deliveries of one OP do. */
export class LogoutLog {
  readonly #store: EventStore
  readonly #issuer: string

  constructor(store: EventStore, issuer: string = ISSUER) {
    this.#store = store
    this.#issuer = issuer
  }

  async login(
    uid: string,
    account: string,
    clientId: string,
    sid = `${uid} ${clientId}`,
    key?: DataKey,
  ): Promise<void> {
    await this.#login(uid, account, registered(clientId, sid), key)
  }

  /** At a client that has no known URI. */
  async loginWithoutUri(uid: string, account: string, clientId: string): Promise<void> {
    await this.#login(uid, account, registeredWithoutUri(clientId, `${uid} ${clientId}`))
  }

  async #login(uid: string, account: string, event: Registered, key?: DataKey): Promise<void> {
    const { keys } = this.#store
    const login = { ...event, user_id: keys.seal(account, sessionLogoutStream(uid), key) }
    await this.#append(uid, login, registrationStreams(keys, event.client_id, account))
  }

  /** @param sids - of the logins that end alone; absent: the session ends */
  async end(uid: string, account: string, sids?: readonly string[], more: Partial<Terminated> = {}): Promise<number> {
    const { registrations } = await readLogout(this.#store, uid)
    const ended = [...registrations.values()].filter(({ sid }) => sids?.includes(sid) ?? true)
    const clients = ended.map(({ clientId }) => clientId)
    const event = terminated(sids ?? 'session', { triggered_at_origin: this.#issuer, ...more })
    return this.#append(uid, event, endStreams(this.#store.keys, this.#issuer, account, clients))
  }

  /**
   * A session with a login at each of the clients, which has ended. Returns its deliveries, in the order of the clients.
   *
   * @param key - the account's own, which seals whose it is
   */
  async ended(uid: string, account: string, clients: readonly string[], key?: DataKey): Promise<string[]> {
    for (const clientId of clients) await this.login(uid, account, clientId, `${uid} ${clientId}`, key)
    await this.end(uid, account)
    const owed = (await readLogout(this.#store, uid)).terminations.flatMap((end) => end.owed)
    return clients.map((id) => owed.find(({ registration }) => registration.clientId === id)?.delivery ?? '')
  }

  /** That an RP which had no known URI at the login is owed the token. */
  async owed(uid: string, delivery: string): Promise<void> {
    await this.#append(uid, owed(delivery))
  }

  /** An attempt that the RP answered with 503. */
  async failed(uid: string, delivery: string): Promise<void> {
    await this.#append(uid, attemptFailed(delivery))
  }

  async confirmed(uid: string, delivery: string, more: InRound = {}): Promise<void> {
    await this.#append(uid, sent(delivery, more))
  }

  async rejected(uid: string, delivery: string, clientId: string, more: InRound = {}): Promise<void> {
    await this.#append(uid, rejected(delivery, more), deadLetterStreams(this.#issuer, clientId))
  }

  async abandoned(uid: string, delivery: string, clientId: string, more: Partial<Abandoned> = {}): Promise<void> {
    await this.#append(uid, abandoned(delivery, more), deadLetterStreams(this.#issuer, clientId))
  }

  async #append(uid: string, event: SessionLogoutEvent, also: readonly string[] = []): Promise<number> {
    const meta = { instance: this.#issuer }
    const { position } = await this.#store.append({ events: [toEvent(uid, event, also)], meta })
    return position
  }
}

/** All that an iteration yields. */
export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}
