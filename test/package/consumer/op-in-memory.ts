// A team's first try of the package, from the tarball: an OP on the log, in memory.
import Provider from 'oidc-provider'
import { eventSourced } from 'oidc-provider-eventstore'
import { MemoryEventStore } from 'oidc-provider-eventstore/adapters/memory'

const store = new MemoryEventStore()
const op = eventSourced(store)
// Apart from `new Provider()`: the callbacks have their types all the same.
const configuration = op.configure({
  clients: [],
  cookies: { keys: ['a secret'] },
  findAccount: async (_ctx, sub) => ({ accountId: sub, claims: async () => ({ sub }) }),
})
const provider = new Provider('http://localhost:3000', configuration)
await op.start(provider)
await op.stop()
await store.close()
console.log('started and stopped')
