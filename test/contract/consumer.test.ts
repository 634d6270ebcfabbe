import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { consumerContract } from './consumer.ts'

consumerContract('memory', async () => {
  const store = new MemoryEventStore()
  return { open: async () => store, remove: async () => {} }
})
