/** What the parts of programs in the documentation take for granted. Each of them is somebody's own in real life. */
import type { Server as HapiServer } from '@hapi/hapi'
import type { Express } from 'express'
import type { Store } from 'express-session'
import type { MongoClient } from 'mongodb'
import type { Configuration } from 'oidc-provider'
import type { EventSourced, EventStore, Logger, Plugin } from 'oidc-provider-eventstore'
import type { BackChannelLogout } from 'oidc-provider-eventstore/plugins/back-channel-logout'

declare global {
  var store: EventStore & Store
  var op: EventSourced
  var logout: BackChannelLogout
  var plugins: Plugin[]
  var logger: Logger
  var client: MongoClient
  var configuration: Configuration
  var provider: import('oidc-provider').Provider
  var Provider: typeof import('oidc-provider').Provider
  var backChannelLogout: typeof import('oidc-provider-eventstore/plugins/back-channel-logout').backChannelLogout
  var eventSourced: typeof import('oidc-provider-eventstore').eventSourced
  var pino: typeof import('pino').pino
  var app: Express
  var server: HapiServer
  var clientsTable: { findMetadata(id: string): Promise<import('oidc-provider').AdapterPayload | undefined> }
  var ownClientIds: Set<string>
  var issuer: string
  var uid: string
  var sessionUid: string
  var accountId: string
  var refreshToken: string
  var clientSecret: string
  var secret: string
  var after: number
  var since: Date
  var signal: AbortSignal
}
