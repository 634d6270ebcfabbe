// A team's first try of the package, from the tarball: an OP on the log, in memory.
import Provider from 'oidc-provider'
import { eventSourced } from 'oidc-provider-eventstore'
import { MemoryEventStore } from 'oidc-provider-eventstore/adapters/memory'

const store = new MemoryEventStore()
const op = eventSourced(store)
const provider = new Provider('http://localhost:3000', op.configure({ clients: [], cookies: { keys: ['a secret'] } }))
await op.start(provider)
await op.stop()
await store.close()
console.log('started and stopped')
