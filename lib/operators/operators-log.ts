import type { Clock } from '../clock.ts'
import { ConcurrencyError, OptionInvalidError, ProviderUnfitError } from '../errors.ts'
import { fullJitter } from '../full-jitter.ts'
import type { Commit, Event, Meta, NewEvent } from '../log/commit.ts'
import type { EventStore } from '../log/event-store.ts'
import type { Heartbeat } from '../log/heartbeat.ts'
import { componentLogger, type Logger } from '../logger.ts'
import type {
  Level,
  NewOperatorChange,
  OperatorChange,
  OperatorChangeListener,
  OperatorsState,
} from './operators-state.ts'

/** So often it is read though nobody has told of anything, in milliseconds: whoever sets something may die before it tells. */
const READ_EVERY_MS = 60_000

/** The pause after a failure, in milliseconds. */
const RETRY_MS = 1_000

/** What it works with. */
export interface OperatorsLogParts {
  readonly store: EventStore
  readonly clock: Clock
  readonly logger: Logger
  /** Brings word of what other processes have set. */
  readonly heartbeat: Heartbeat
  /** The issuer first, then those that it was before; empty until it is known. */
  readonly issuers: () => readonly string[]
}

/** So many times another operator may be faster before an act is given up. */
const MAX_TRIES = 20

/** The pauses between them. */
const PAUSE = { firstMs: 2, mostMs: 100 }

/** So many of the newest acts are looked at: a slow writer may put one below others that are known. */
const NEWEST = 16

/** What is known of one stream. */
interface KnownStream {
  /** Oldest first; the last one's version is their number. */
  readonly acts: readonly OperatorChange[]
  /** The commit that holds the last one. */
  readonly last?: { readonly id: string; readonly position: number }
}

const NOTHING_KNOWN: KnownStream = { acts: [] }

/**
 * Operators' state on the log. Acts of a stream are numbered: each follows the one before, so that whoever has read up to
 * one reads on behind it and misses none. What scripts set ten thousand times is read once. Read when a process tells
 * that it has set something, which arrives with the next heartbeat. Reads do not overlap, so that none tells less than
 * the one before it.
 */
export class OperatorsLog implements OperatorsState {
  readonly #parts: OperatorsLogParts
  readonly #followers = new Map<OperatorChangeListener, string>()
  readonly #known = new Map<string, KnownStream>()
  /** The ids of the newest commits of all streams, as they were looked at last. */
  #newest: string | undefined
  #reading: Promise<void> = Promise.resolve()
  #running: { readonly stopping: AbortController; readonly ended: Promise<void> } | undefined
  #failing = false
  /** Aborts when there may be something new to read. */
  #told = new AbortController()

  constructor(parts: OperatorsLogParts) {
    this.#parts = { ...parts, logger: componentLogger(parts.logger, 'operators') }
  }

  /** Reads, then reads again whenever something was set. Idempotent. */
  async start(): Promise<void> {
    if (this.#running) return
    const stopping = new AbortController()
    const ended = this.#run(stopping.signal)
    this.#running = { stopping, ended }
    try {
      await this.refresh()
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  /** Stops reading, and waits until it has. What is known stays known. Idempotent. */
  async stop(): Promise<void> {
    const running = this.#running
    this.#running = undefined
    running?.stopping.abort()
    await running?.ended
  }

  follow(kind: string, heard: OperatorChangeListener): () => void {
    const follower: OperatorChangeListener = (acts) => heard(acts) // one for each call, though the same function comes twice
    this.#followers.set(follower, kind)
    return () => this.#followers.delete(follower)
  }

  refresh(): Promise<void> {
    this.#reading = this.#reading.then(
      () => this.#read(),
      () => this.#read(),
    )
    return this.#reading
  }

  async record(kind: string, act: NewOperatorChange): Promise<void> {
    assertAct(act)
    const { level, type, data, actor } = act
    const [instance] = this.#parts.issuers()
    const stream = streamOf(kind, level, instance)
    const event = { stream, type, data: { ...data, level, actor } }
    await this.#append(event, { actor, ...(level === 'instance' && instance !== undefined && { instance }) })
    await Promise.all([this.#tryToRead(), this.#tell()])
    if (this.#failing) this.#told.abort()
  }

  /** Where another operator was faster, the act follows his. */
  async #append(event: NewEvent, meta: Meta): Promise<void> {
    const { store, clock } = this.#parts
    for (let tries = 1; ; tries++) {
      const known = tries === 1 ? this.#known.get(event.stream) : undefined
      const { acts } = known ?? (await this.#readOn(event.stream))
      try {
        await store.append({ events: [{ ...event, version: acts.length + 1 }], meta })
        return
      } catch (error) {
        if (!(error instanceof ConcurrencyError) || tries >= MAX_TRIES) throw error
        if (tries > 1) await clock.sleep(fullJitter(tries, PAUSE))
      }
    }
  }

  /** It is recorded, whatever becomes of this: then the others know it when they read next. */
  async #tell(): Promise<void> {
    try {
      await this.#parts.store.liveness.notify()
    } catch (err) {
      this.#parts.logger.warn(
        { event: 'operators_not_notified', err },
        'other processes could not be told of what an operator has set: they know it within a minute',
      )
    }
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, heartbeat } = this.#parts
    const end = heartbeat.onNotice(() => this.#told.abort())
    try {
      while (!signal.aborted) {
        await clock.sleep(this.#failing ? RETRY_MS : READ_EVERY_MS, AbortSignal.any([signal, this.#told.signal]))
        if (signal.aborted) return
        if (this.#told.signal.aborted) this.#told = new AbortController()
        await this.#tryToRead()
      }
    } finally {
      end()
    }
  }

  async #tryToRead(): Promise<void> {
    try {
      await this.refresh()
      if (this.#failing)
        this.#parts.logger.info({ event: 'operators_readable' }, 'what operators have set can be read again')
      this.#failing = false
    } catch (err) {
      if (!this.#failing)
        this.#parts.logger.warn(
          { event: 'operators_unreadable', err },
          'what operators have set cannot be read: what is known holds until it can',
        )
      this.#failing = true
    }
  }

  async #read(): Promise<void> {
    const followers = [...this.#followers]
    if (followers.length === 0) return
    const streams = new Map([...new Set(this.#followers.values())].map((kind) => [kind, this.#streamsOf(kind)]))
    const names = [...new Set([...streams.values()].flatMap((ofKind) => [...ofKind.keys()]))]
    const known = await this.#readAll(names)
    const failures: unknown[] = []
    for (const [heard, kind] of followers) {
      try {
        heard(actsIn(known, streams.get(kind) ?? new Map()))
      } catch (error) {
        failures.push(error) // it is no reason for the others not to be told
      }
    }
    if (failures.length > 0) throw failures[0]
  }

  /** One look at what is newest in all the streams; where that is what it was, nothing else is read. */
  async #readAll(names: readonly string[]): Promise<ReadonlyMap<string, KnownStream>> {
    const newest = await this.#parts.store.readStreams(names, { direction: 'backwards', limit: NEWEST })
    const ids = newest.map(({ id }) => id).join()
    if (ids !== this.#newest || names.some((name) => !this.#known.has(name))) {
      await Promise.all(names.map((name) => this.#readOn(name)))
      this.#newest = ids
    }
    return this.#known
  }

  /**
   * Reads what was set since, in order; everything, where the last known act is not there any more: a fail-over may roll
   * back what was not acknowledged.
   */
  async #readOn(stream: string): Promise<KnownStream> {
    const known = this.#known.get(stream) ?? NOTHING_KNOWN
    const [first, ...rest] = await this.#parts.store.read(stream, { from: known.last?.position ?? 0 })
    const isSame = known.last === undefined || first?.id === known.last.id
    if (!isSame) this.#known.delete(stream)
    if (!isSame) return this.#readOn(stream)
    const commits = known.last === undefined && first ? [first, ...rest] : rest
    const acts = commits.flatMap((commit) =>
      commit.events.filter((event) => event.stream === stream).map((event) => actOf(commit, event)),
    )
    const last = commits.at(-1)
    const now = last ? { acts: [...known.acts, ...acts], last: { id: last.id, position: last.position } } : known
    this.#known.set(stream, now)
    return now
  }

  /** The streams of a kind, each with its level. What was set under a former issuer is this one's. */
  #streamsOf(kind: string): ReadonlyMap<string, Level> {
    const instances = this.#parts.issuers().map((issuer) => [streamOf(kind, 'instance', issuer), 'instance'] as const)
    return new Map<string, Level>([[streamOf(kind, 'system', undefined), 'system'], ...instances])
  }
}

/** The longest name of whoever does something, in UTF-16 code units. */
const ACTOR_LIMIT = 1_024

const LEVELS: readonly Level[] = ['system', 'instance']

function assertAct({ level, actor }: NewOperatorChange): void {
  if (!LEVELS.includes(level)) throw new OptionInvalidError('level', `must be one of ${LEVELS.join(', ')}`)
  // Whoever reads the log later must be able to ask somebody. Every process remembers each act.
  if (typeof actor !== 'string' || actor.trim() === '' || actor.length > ACTOR_LIMIT || !actor.isWellFormed())
    throw new OptionInvalidError('actor', `must be text of at most ${ACTOR_LIMIT} characters: who does this`)
}

function streamOf(kind: string, level: Level, issuer: string | undefined): string {
  if (level === 'system') return `${kind}:system`
  if (issuer === undefined)
    throw new ProviderUnfitError('the issuer is not known yet: call start() of eventSourced() first')
  return `${kind}:instance:${issuer}`
}

/** In the order of the log, whatever stream they are of. */
function actsIn(known: ReadonlyMap<string, KnownStream>, streams: ReadonlyMap<string, Level>): OperatorChange[] {
  const acts = [...streams.keys()].flatMap((stream) => known.get(stream)?.acts ?? [])
  return acts.sort((a, b) => a.position - b.position)
}

function actOf({ at, position }: Commit, { type, data }: Event): OperatorChange {
  return { level: data['level'] as Level, type, data, actor: String(data['actor']), at, position }
}
