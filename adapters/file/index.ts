export { FileEventStore, type FileOptions } from './file-event-store.ts'
