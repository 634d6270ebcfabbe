import type { Clock } from './clock.ts'
import type { Feature, FeatureGates } from './features/feature-gates.ts'
import type { EventStore } from './log/event-store.ts'
import type { Heartbeat } from './log/heartbeat.ts'
import type { Logger } from './logger.ts'
import type { OperatorsState } from './operators/operators-state.ts'
import type { ProviderLike } from './provider/provider-like.ts'
import type { RequestContext } from './provider/request-context.ts'
import type { SessionObserver } from './provider/session-change.ts'
import type { SessionTerminator } from './provider/session-terminator.ts'
import type { RetentionRule } from './retention/retention-rule.ts'
import type { AccountKeys } from './secrets/account-keys.ts'
import type { Telemetry } from './telemetry/telemetry.ts'

/** What a plugin works with. */
export interface Host {
  readonly store: EventStore
  /** Seals and opens what is stored of an account. */
  readonly accountKeys: AccountKeys
  readonly provider: ProviderLike
  readonly clock: Clock
  readonly logger: Logger
  /** Shows that this process lives: for whoever holds leases or work in it. */
  readonly heartbeat: Heartbeat
  /** Ends sessions and grants that no request is about. */
  readonly terminator: SessionTerminator
  /** Which features are on, for the provider's issuer. */
  readonly features: FeatureGates
  /** What operators have set, and where a plugin may keep such things of its own. */
  readonly operators: OperatorsState
  /** Where measurements and traces go. Absent: nowhere. */
  readonly telemetry?: Telemetry
}

/** Something that uses the log. */
export interface Plugin {
  readonly name: string
  /** Features that depend on it, and whether they are on where no operator has set them. */
  readonly features?: Readonly<Partial<Record<Feature, boolean>>>
  /** Completes the provider's configuration. Called before the provider is made. */
  configure?<C extends object>(configuration: C): C
  /** Sees every change of a session, in the commit that makes it. */
  readonly observer?: SessionObserver
  /** Runs around each request of the provider, inside its unit of work. */
  readonly middleware?: (ctx: RequestContext, next: () => Promise<unknown>) => Promise<void>
  /** What it knows of how long its own events are needed. What no rule knows stays for ever. */
  readonly retention?: readonly RetentionRule[]
  /** Its work tables whose rows hold what is sealed with the ring. */
  readonly work?: readonly string[]
  /**
   * Ends all that lives of an account, and resolves when whoever is to be told of it can be told after the account was
   * forgotten. Returns how many sessions and grants that were, or would be.
   */
  endAccount?(
    accountId: string,
    options: { readonly actor: string; readonly dryRun: boolean; readonly signal?: AbortSignal },
  ): Promise<number>
  /** Starts what runs beside the requests. */
  start(host: Host): Promise<void>
  /** Stops it, and waits until it has. Idempotent. */
  stop(): Promise<void>
}
