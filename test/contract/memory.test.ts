import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { eventStoreContract } from './event-store.ts'

eventStoreContract(
  'memory',
  async () => ({
    open: async () => new MemoryEventStore(),
    remove: async () => {},
  }),
  { kept: false, shared: false, dense: true },
)
