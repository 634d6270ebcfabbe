export { MemoryEventStore, type MemoryOptions } from './memory-event-store.ts'
