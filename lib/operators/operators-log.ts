import type { Clock } from '../clock.ts'
import { OptionInvalidError, ProviderUnfitError } from '../errors.ts'
import type { Commit, Event } from '../log/commit.ts'
import type { EventStore } from '../log/event-store.ts'
import type { Heartbeat } from '../log/heartbeat.ts'
import type { Logger } from '../logger.ts'
import type { ActsHeard, Level, NewOperatorAct, OperatorAct, OperatorsState } from './operators-state.ts'

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

/**
 * Operators' state on the log. All streams that are followed are read whole, with one command: they are as short as what
 * people do by hand. Read when a process tells that it has set something, which arrives with the next heartbeat. Reads do not
 * overlap, so that none tells less than the one before it.
 */
export class OperatorsLog implements OperatorsState {
  readonly #parts: OperatorsLogParts
  readonly #followers = new Map<ActsHeard, string>()
  #reading: Promise<void> = Promise.resolve()
  #running: { readonly stopping: AbortController; readonly ended: Promise<void> } | undefined
  #failing = false
  /** Aborts when there may be something new to read. */
  #told = new AbortController()

  constructor(parts: OperatorsLogParts) {
    this.#parts = parts
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

  follow(kind: string, heard: ActsHeard): () => void {
    const follower: ActsHeard = (acts) => heard(acts) // one for each call, though the same function comes twice
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

  async record(kind: string, act: NewOperatorAct): Promise<void> {
    assertAct(act)
    const { level, type, data, actor } = act
    const [instance] = this.#parts.issuers()
    const stream = streamOf(kind, level, instance)
    await this.#parts.store.append({
      events: [{ stream, type, data: { ...data, level, actor } }],
      meta: { actor, ...(level === 'instance' && instance !== undefined && { instance }) },
    })
    await Promise.all([this.#tryToRead(), this.#tell()])
    if (this.#failing) this.#told.abort()
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
      if (this.#failing) this.#parts.logger.info({}, 'what operators have set can be read again')
      this.#failing = false
    } catch (err) {
      if (!this.#failing)
        this.#parts.logger.warn({ err }, 'what operators have set cannot be read: what is known holds until it can')
      this.#failing = true
    }
  }

  async #read(): Promise<void> {
    const followers = [...this.#followers]
    if (followers.length === 0) return
    const streams = new Map([...new Set(this.#followers.values())].map((kind) => [kind, this.#streamsOf(kind)]))
    const commits = await this.#parts.store.readStreams([...streams.values()].flatMap((names) => [...names.keys()]))
    const failures: unknown[] = []
    for (const [heard, kind] of followers) {
      try {
        heard(actsIn(commits, streams.get(kind) ?? new Map()))
      } catch (error) {
        failures.push(error) // it is no reason for the others not to be told
      }
    }
    if (failures.length > 0) throw failures[0]
  }

  /** The streams of a kind, each with its level. What was set under a former issuer is this one's. */
  #streamsOf(kind: string): ReadonlyMap<string, Level> {
    const instances = this.#parts.issuers().map((issuer) => [streamOf(kind, 'instance', issuer), 'instance'] as const)
    return new Map<string, Level>([[streamOf(kind, 'system', undefined), 'system'], ...instances])
  }
}

const LEVELS: readonly Level[] = ['system', 'instance']

function assertAct({ level, actor }: NewOperatorAct): void {
  if (!LEVELS.includes(level)) throw new OptionInvalidError('level', `must be one of ${LEVELS.join(', ')}`)
  // Whoever reads the log later must be able to ask somebody.
  if (typeof actor !== 'string' || actor.trim() === '')
    throw new OptionInvalidError('actor', 'must be text: who does this')
}

function streamOf(kind: string, level: Level, issuer: string | undefined): string {
  if (level === 'system') return `${kind}:system`
  if (issuer === undefined)
    throw new ProviderUnfitError('the issuer is not known yet: call start() of eventSourced() first')
  return `${kind}:instance:${issuer}`
}

function actsIn(commits: readonly Commit[], streams: ReadonlyMap<string, Level>): OperatorAct[] {
  return commits.flatMap((commit) =>
    commit.events.flatMap((event) => {
      const level = streams.get(event.stream)
      return level === undefined ? [] : [actOf(commit, event, level)]
    }),
  )
}

function actOf({ at }: Commit, { type, data }: Event, level: Level): OperatorAct {
  return { level, type, data, actor: String(data['actor']), at }
}
