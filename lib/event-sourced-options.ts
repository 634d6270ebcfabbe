import type { Clock } from './clock.ts'
import { OptionInvalidError } from './errors.ts'
import { assertKnownOptions } from './known-options.ts'
import type { EventStore } from './log/event-store.ts'
import type { Logger } from './logger.ts'
import type { Plugin } from './plugin.ts'
import { assertOwnAdapters, type OwnAdapters } from './provider/own-adapters.ts'
import { type RetentionOptions, retentionPolicy } from './retention/retention-options.ts'
import type { Telemetry } from './telemetry/telemetry.ts'

/** How the provider is put on the log. All optional. */
export interface EventSourcedOptions {
  readonly plugins?: readonly Plugin[]
  /** Default: `consoleLogger`, which prints warnings and errors. `silent` prints nothing. */
  readonly logger?: Logger
  readonly clock?: Clock
  /**
   * Issuers that this provider had before: what was stored under them is its own. What two issuers of one log store is
   * found by each for itself; only clients, and which proofs were shown, belong to all.
   */
  readonly formerIssuers?: readonly string[]
  /**
   * So many bytes of what was read of the log are held in memory, about, where the store can be followed (MongoDB, but
   * behind a router). What is held is never behind the log when it is used. 0: everything is read. Default: 64 MiB.
   */
  readonly heldBytes?: number
  /**
   * Models that are kept in tables of your own, each with a function that makes the adapter: `{ Client: (model) => … }`.
   * Allowed are Client, InitialAccessToken, RegistrationAccessToken and models of your own; all others are part of the
   * request's commit. What such an adapter writes is stored at once, whatever becomes of the request.
   */
  readonly adapters?: OwnAdapters
  /**
   * How long is kept what nobody needs any more: it is removed beside the requests, once a day. Default: states 30 days,
   * what strangers write an hour, histories of logouts 400 days. `false`: the log grows for ever.
   */
  readonly retention?: RetentionOptions | false
  /** Where measurements and traces go: `openTelemetry()` of `plugins/telemetry`. Default: nowhere. */
  readonly telemetry?: Telemetry
}

const OPTIONS: ReadonlySet<string> = new Set([
  'plugins',
  'logger',
  'clock',
  'formerIssuers',
  'heldBytes',
  'adapters',
  'retention',
  'telemetry',
])

/** @throws OptionInvalidError (`OPTION_INVALID`) */
export function assertOptions(store: EventStore, options: EventSourcedOptions): void {
  if (store instanceof Promise)
    throw new OptionInvalidError('store', 'must be an EventStore, not the promise of one: await what open() returns')
  if (typeof store?.append !== 'function')
    throw new OptionInvalidError('store', 'must be an EventStore: open one from adapters/')
  assertKnownOptions(options, OPTIONS)
  if (options.plugins !== undefined && !Array.isArray(options.plugins))
    throw new OptionInvalidError('plugins', 'must be an array')
  const names = new Set<string>()
  for (const [index, plugin] of (options.plugins ?? []).entries()) {
    const { name, start, stop } = plugin ?? {}
    if (typeof name !== 'string' || typeof start !== 'function' || typeof stop !== 'function') {
      throw new OptionInvalidError(`plugins[${index}]`, 'must be a plugin, as backChannelLogout() returns one')
    }
    if (names.has(name)) throw new OptionInvalidError('plugins', `has two plugins called "${name}"`)
    names.add(name)
  }
  const { formerIssuers } = options
  if (formerIssuers !== undefined && !(Array.isArray(formerIssuers) && formerIssuers.every(isUrl)))
    throw new OptionInvalidError('formerIssuers', 'must be an array of issuers, each a URL as it was configured')
  const { heldBytes = 0 } = options
  if (!Number.isSafeInteger(heldBytes) || heldBytes < 0)
    throw new OptionInvalidError('heldBytes', 'must be a number of bytes: a whole number from 0')
  for (const method of ['debug', 'info', 'warn', 'error'] as const) {
    if (options.logger && typeof options.logger[method] !== 'function')
      throw new OptionInvalidError('logger', `needs a method \`${method}\``)
  }
  for (const method of ['span', 'traceparent', 'record', 'observe'] as const) {
    if (options.telemetry && typeof options.telemetry[method] !== 'function')
      throw new OptionInvalidError(
        'telemetry',
        `needs a method \`${method}\`: use openTelemetry() of plugins/telemetry`,
      )
  }
  assertOwnAdapters(options.adapters)
  retentionPolicy(options.retention)
}

function isUrl(issuer: unknown): boolean {
  return typeof issuer === 'string' && URL.canParse(issuer)
}
