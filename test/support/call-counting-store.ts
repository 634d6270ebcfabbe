import type { EventStore } from '../../lib/index.ts'

/** The names of the calls that a store gets, those of its tables among them. What others are told of is no call. */
export function callCountingStore(store: EventStore): { readonly store: EventStore; readonly calls: string[] } {
  const calls: string[] = []
  return { store: counting(store, '', calls), calls }
}

const TABLES: ReadonlySet<PropertyKey> = new Set(['consumers', 'liveness', 'accountKeys', 'retention', 'segments'])
const NO_CALLS: ReadonlySet<PropertyKey> = new Set(['subscribe', 'follow', 'close'])

function counting<T extends object>(target: T, path: string, calls: string[]): T {
  return new Proxy(target, {
    get(_, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (TABLES.has(name) && typeof value === 'object' && value !== null)
        return counting(value, `${path}${String(name)}.`, calls)
      if (typeof value !== 'function') return value
      const method = value.bind(target) as (...args: unknown[]) => unknown
      if (name === 'work' || name === 'index')
        return (table: string) => counting(method(table) as object, `${path}${name}(${table}).`, calls)
      if (NO_CALLS.has(name)) return method
      return (...args: unknown[]) => {
        calls.push(`${path}${String(name)}`)
        return method(...args)
      }
    },
  })
}
