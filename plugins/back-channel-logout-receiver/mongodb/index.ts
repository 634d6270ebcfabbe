/**
 * What an RP that runs as several processes shares, on MongoDB. An entry of its own, so that the receiver itself needs
 * no driver.
 */
export { ReceiverStoreError } from '../receiver-store-error.ts'
export { MongoLoggedOutStore, type MongoLoggedOutStoreOptions } from './mongo-logged-out-store.ts'
export { MongoReplayStore, type MongoReplayStoreOptions } from './mongo-replay-store.ts'
