export { MongoEventStore, type MongoOptions } from './mongo-event-store.ts'
