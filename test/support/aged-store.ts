import type { Clock, EventStore, RetentionTable } from '../../lib/index.ts'

/** The store, with the clock's time: retention takes what lies in it for as old as the clock says. */
export function aged(store: EventStore, clock: Clock): EventStore {
  const withTime = (retention: RetentionTable): RetentionTable =>
    forwarding(retention, { time: () => Promise.resolve(clock.now()) })
  return forwarding(store, {
    get retention() {
      return withTime(store.retention)
    },
  })
}

function forwarding<T extends object>(to: T, own: Partial<T>): T {
  return new Proxy(to, {
    get(target, key) {
      const value: unknown = key in own ? Reflect.get(own, key) : Reflect.get(target, key)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
