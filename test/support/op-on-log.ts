import { type EventSourced, type EventStore, eventSourced, silent } from '../../lib/index.ts'
import { LogRetention } from '../../lib/retention/retention.ts'
import { retentionPolicy } from '../../lib/retention/retention-options.ts'
import { FakeContext } from '../contract/provider-adapter/adapter-under-test.ts'
import type { FakeClock } from './fake-clock.ts'

const DAY_MS = 86_400_000

/** An OP of an issuer on a log, without a provider: its adapter, and requests that are one commit each. */
export interface OpOnLog {
  readonly op: EventSourced
  request<T>(work: (adapter: EventSourced['adapter']) => Promise<T>): Promise<T>
}

export function opOnLog(store: EventStore, clock: FakeClock, issuer: string = 'https://op.example.com'): OpOnLog {
  const op = eventSourced(store, { clock, logger: silent, retention: false })
  let middleware: ((ctx: FakeContext, next: () => Promise<unknown>) => Promise<void>) | undefined
  void op.start({
    issuer,
    use: (one: never) => {
      middleware = one
    },
    Client: { find: async () => undefined, adapter: op.adapter('Client') },
    Session: class {},
  } as never)
  return {
    op,
    async request<T>(work: (adapter: EventSourced['adapter']) => Promise<T>): Promise<T> {
      let result: { readonly value: T } | undefined
      await middleware?.(new FakeContext(), async () => {
        result = { value: await work(op.adapter) }
      })
      if (!result) throw new Error('the request was not answered')
      return result.value
    },
  }
}

/** Retention that keeps what is over for a day. */
export function dailyRetention(store: EventStore, clock: FakeClock): LogRetention {
  return new LogRetention({ store, clock, logger: silent, policy: retentionPolicy({ statesMs: DAY_MS }), rules: [] })
}

/** Days go by, and retention runs each; something is appended, so that nothing that counts is the log's last. */
export async function passDays(days: number, store: EventStore, clock: FakeClock): Promise<void> {
  for (let day = 0; day < days; day++) {
    await clock.advance(DAY_MS)
    await store.append({ events: [{ stream: 'days', type: 'passed', data: {} }] })
    await dailyRetention(store, clock).run()
  }
}
