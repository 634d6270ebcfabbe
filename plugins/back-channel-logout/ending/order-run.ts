import type { Commit, EventStore, GrantState, Host, SessionName } from '../../../lib/index.ts'
import type { ToldClients } from '../clients/told-clients.ts'
import type { OidcProvider } from '../provider-internals.ts'
import { accountStreams, clientStreams, orderStream } from '../recording/found-by.ts'
import { inParallel } from '../work/in-parallel.ts'
import { isAway } from '../work/store-away.ts'
import { grantLogout } from './grant-logout.ts'
import { clientOf, grantsWithSession, isMeant, type Order } from './order.ts'
import { type Tally, toOrderEvent } from './order-events.ts'
import { orderPage } from './order-pages.ts'
import { Recent } from './recent.ts'
import { plus, tallyOf } from './tally.ts'

/** What an order is carried out with. */
export interface OrderParts {
  readonly host: Host
  readonly provider: OidcProvider
  readonly clients: ToldClients
  readonly isOn: () => boolean
}

/** So many commits are looked at before it is written down how far an order got. */
export const PAGE = 256

/** So many sessions are ended at a time: enough to share the commands of the store. */
export const AT_ONCE = 32

/** So many sessions are remembered: a session appears in the log once for each write. */
export const REMEMBERED = 20_000

/**
 * Carries an order out, page by page. What it does twice does no harm: an ended session has ended. So a page whose
 * process died is done again by another, and what was done is counted in the log.
 */
export class OrderRun {
  readonly #parts: OrderParts
  /** Sessions that were looked at. */
  readonly #looked = new Recent(REMEMBERED)
  /** Accounts at clients that an order need not tell any more. */
  readonly #told = new Recent(REMEMBERED)
  readonly #page: number

  constructor(parts: OrderParts, page: number = PAGE) {
    this.#parts = parts
    this.#page = page
  }

  /** One page further. */
  async further(order: Order): Promise<{ readonly order: Order; readonly completed: boolean }> {
    const { commits, next } = await orderPage(this.#store, order, this.#page)
    let failed = 0
    const tried = async (work: () => Promise<unknown>): Promise<void> => {
      try {
        await work()
      } catch (error) {
        if (isAway(error)) throw error
        failed += 1
        this.#parts.host.logger.error(
          { err: error, termination: order.id },
          'a session or a grant could not be ended; the termination goes on without it',
        )
      }
    }
    if (order.pass === 'sessions') {
      const names = this.#sessionsIn(order, commits)
      await inParallel(names, AT_ONCE, (name) => tried(() => this.#endSession(order, name)))
    } else {
      const grants: GrantState[] = []
      for (const commit of commits) await tried(async () => grants.push(...this.#grantsIn(order, commit)))
      // One after the other: of several grants of one RP the first one tells it.
      for (const grant of grants) await tried(() => this.#revoke(order, grant))
    }
    const counted = await this.#counted(order)
    return {
      order: { ...order, ...next, ...counted, failed: order.failed + failed },
      completed: next === undefined,
    }
  }

  #sessionsIn({ id }: Order, commits: readonly Commit[]): SessionName[] {
    const names = new Map<string, SessionName>()
    for (const commit of commits) {
      for (const name of this.#parts.host.endings.sessionsStoredBy(commit)) names.set(`${id} ${String(name)}`, name)
    }
    return [...names].filter(([key]) => !this.#looked.has(key)).map(([, name]) => name)
  }

  async #endSession(order: Order, name: SessionName): Promise<void> {
    const { id, target, reason, actor } = order
    const looked = (): boolean => this.#looked.add(`${id} ${String(name)}`)
    try {
      await this.#parts.host.endings.end(name, {
        cause: { reason, actor, order: id },
        grants: grantsWithSession({ target, reason }),
        onlyIf: ({ payload }) => isMeant(this.#store.keys, order, payload['accountId']),
        ...(target.kind === 'client' && { clientId: target.client_id }),
      })
      looked()
    } catch (error) {
      if (!isAway(error)) looked() // counted as failed once, however often it was written
      throw error
    }
  }

  #grantsIn(order: Order, commit: Commit): GrantState[] {
    const now = this.#parts.host.clock.now() / 1000
    return this.#parts.host.endings
      .grantsStoredBy(commit, clientOf(order))
      .filter(({ exp, accountId }) => isMeant(this.#store.keys, order, accountId) && !(exp !== undefined && exp < now))
  }

  async #revoke(order: Order, { id: grantId, accountId, clientId }: GrantState): Promise<void> {
    const { provider, isOn, host, clients } = this.#parts
    if (accountId === undefined || clientId === undefined || !(await host.endings.grant(grantId))) return
    const { id, reason, actor } = order
    const login = JSON.stringify([id, accountId, clientId])
    const on = isOn()
    const tells = on && !this.#told.has(login) && !(await wasTold(this.#store, order, accountId, clientId))
    const client = tells ? await clients.find(clientId) : undefined
    await host.endings.revoke(grantId, { reason, actor, order: id }, [
      toOrderEvent(id, { type: 'termination.grant_revoked', client_id: clientId }),
      ...(client ? grantLogout(this.#store.keys, provider.issuer, order, { id: grantId, accountId, client }) : []),
    ])
    if (on) this.#told.add(login)
  }

  /** What the order's stream says that was not counted yet: also what a process did that died before it could say so. */
  async #counted({ id, tally, counted }: Order): Promise<{ tally: Tally; counted: number }> {
    let sum = tally
    let upTo = counted
    for (;;) {
      const commits = await this.#store.read(orderStream(id), { from: upTo + 1, limit: this.#page })
      sum = plus(sum, tallyOf(commits))
      upTo = commits.at(-1)?.position ?? upTo
      if (commits.length < this.#page) return { tally: sum, counted: upTo }
    }
  }

  get #store(): EventStore {
    return this.#parts.host.store
  }
}

/** Whether the order has ended a login of the account at the client already: then the RP is told of that. */
async function wasTold(
  store: EventStore,
  { id, position }: Order,
  accountId: string,
  clientId: string,
): Promise<boolean> {
  const [order, clients] = [orderStream(id), clientStreams(store.keys, clientId)]
  for (const account of accountStreams(store.keys, accountId)) {
    const since = await store.read(account, { from: position + 1 })
    const told = since.some(({ events }) =>
      events.some(
        ({ type, also = [] }) =>
          type === 'session_logout.terminated' &&
          also.includes(order) &&
          clients.some((client) => also.includes(client)),
      ),
    )
    if (told) return true
  }
  return false
}
