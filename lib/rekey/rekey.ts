import type { Clock } from '../clock.ts'
import { inParallel } from '../in-parallel.ts'
import type { AccountKeyRecord } from '../log/account-key-table.ts'
import type { Commit, Event, Json } from '../log/commit.ts'
import type { EventStore } from '../log/event-store.ts'
import type { Work } from '../log/work-table.ts'
import { indexStreams } from '../provider/index-streams.ts'
import { ModelLog } from '../provider/model-log.ts'
import { beganAt, isRevoked, ownNames } from '../provider/model-record.ts'
import { idOf, type ModelState, repeatedData } from '../provider/model-state.ts'
import { isModelName } from '../provider/models.ts'
import { eventOf, grantIdOf } from '../provider/staged-write.ts'
import { ownerOf } from '../secrets/account-key-owner.ts'
import { accountNames } from '../secrets/account-names.ts'
import { isUnreadable } from '../secrets/unreadable.ts'
import { type Needed, type RekeyReport, RekeyTally } from './rekey-report.ts'

/** How it is done. All optional. */
export interface RekeyOptions {
  /** Only counts. Default: false. */
  readonly dryRun?: boolean
  readonly signal?: AbortSignal
  /** Called after each page of the log with the position that was reached. */
  readonly onProgress?: (progress: { readonly at: number; readonly end: number; readonly resealed: number }) => void
}

/** What it works with. */
export interface RekeyParts {
  readonly store: EventStore
  readonly clock: Clock
  /** Work tables whose rows hold what is sealed with the ring: it is needed until they are done. */
  readonly work?: readonly string[]
}

/** So many commits are looked at together, so many keys, and so many are written at a time. */
const PAGE = 500
const AT_ONCE = 16

/** Others may seal, retire and destroy the same key meanwhile; so often it is looked again. */
const MOST_TRIES = 8

/**
 * Models whose states follow one another, each a claim on the one before, or that nobody else may write: they are stored
 * again by the requests that use them, or expire.
 */
const LEFT_ALONE: ReadonlySet<string> = new Set(['Session', 'Interaction', 'ReplayDetection'])

/**
 * Has what lives depend on the newest keys alone: keys of accounts are sealed with the newest sealing key, states that no
 * account is known for are stored again, and so is what only a former hashing key finds. What it was is told by the log
 * all the same. Idempotent; beside the requests; whatever is stored meanwhile wins.
 *
 * @throws whatever the store throws: some of it is done, and a next run does the rest
 */
export async function rekeyLog(
  { store, clock, work = [] }: RekeyParts,
  options: RekeyOptions = {},
): Promise<RekeyReport> {
  const run = new Run(store, clock, options)
  await run.accounts()
  await run.states()
  for (const table of work) await run.work(table)
  return run.tally.report
}

/** A state that is to be stored again. */
interface Again {
  readonly state: ModelState
  /** The commit that left it. */
  readonly commit: Commit
  /** What that has sealed. */
  readonly sealed: string
  /** All names of its stream from now on, the writing key's first. */
  readonly names: readonly string[]
  /** Where it was stored first, under whatever keys. */
  readonly began: number
}

class Run {
  readonly tally: RekeyTally
  readonly #store: EventStore
  readonly #clock: Clock
  readonly #logs = new Map<string | undefined, ModelLog>()
  readonly #options: RekeyOptions

  constructor(store: EventStore, clock: Clock, options: RekeyOptions) {
    this.tally = new RekeyTally(options.dryRun ?? false)
    this.#store = store
    this.#clock = clock
    this.#options = options
  }

  async accounts(): Promise<void> {
    const { accountKeys } = this.#store
    for (let after: string | undefined; !this.#options.signal?.aborted; ) {
      const page = await accountKeys.list({ limit: PAGE, ...(after !== undefined && { after }) })
      await inParallel(page, AT_ONCE, (record) => this.#account(record))
      after = page.at(-1)?.id
      this.#options.onProgress?.({ at: 0, end: await this.#store.end(), resealed: this.tally.resealed })
      if (page.length < PAGE) return
    }
  }

  async #account(record: AccountKeyRecord): Promise<void> {
    if (record.sealed === undefined) return
    this.tally.accountKeys.looked += 1
    let found: AccountKeyRecord | undefined = record
    for (let tries = 1; found && tries <= MOST_TRIES; tries++) {
      if (await this.#isSealedAnew(found)) return
      // Somebody has changed it meanwhile: sealed it with his newest key, retired it or destroyed it.
      const [now] = await this.#store.accountKeys.find([record.id])
      found = now
    }
    if (found?.sealed !== undefined) this.#needsForAccount(found.sealed)
  }

  /** Whether nothing is left to do for it. */
  async #isSealedAnew(record: AccountKeyRecord): Promise<boolean> {
    const { keys, accountKeys } = this.#store
    const { id, sealed, names, formerNames = [] } = record
    if (sealed === undefined) return true
    try {
      const key = keys.openDataKey(id, sealed)
      const owner = ownerOf(keys, record)
      const own = owner === undefined ? [] : accountNames(keys, owner)
      const now = names.length > 0 ? names : formerNames
      const isNamed = own.length === now.length && own.every((name) => now.includes(name))
      if (isNamed && keys.ringKeyIn(sealed) === keys.sealsWith) return true
      // By these alone: other names are those of a hashing key that is gone, or somebody else's.
      const change = { sealed: keys.sealDataKey(key), names: own }
      if (!this.#options.dryRun && !(await accountKeys.reseal(record, change))) return false
      this.tally.accountKeys.resealed += 1
    } catch (error) {
      if (!isUnreadable(error)) throw error
      this.tally.accountKeys.unreadable += 1
      if (!keys.isRetired(keys.ringKeyIn(sealed))) this.#needsForAccount(sealed)
    }
    return true
  }

  #needsForAccount(sealed: string): void {
    this.tally.needs('sealing', this.#store.keys.ringKeyIn(sealed), { of: 'account', until: undefined })
  }

  /** A row is sealed when it is made, and is gone when its work is done. */
  async work(table: string): Promise<void> {
    const { keys } = this.#store
    const rows = this.#store.work(table)
    for (let after: Work | undefined; !this.#options.signal?.aborted; ) {
      const page = await rows.open({ limit: PAGE, ...(after && { after }) })
      for (const { body, deadline: until } of page) {
        const former = textsIn(body).map((text) => keys.formerKeyIn(text))
        for (const id of new Set(former)) if (id !== undefined) this.tally.needs('sealing', id, { of: table, until })
      }
      after = page.at(-1)
      if (page.length < PAGE) return
    }
  }

  async states(): Promise<void> {
    const { signal, onProgress } = this.#options
    const end = await this.#store.end()
    for (let at = 0; at < end && !signal?.aborted; ) {
      const entries = await this.#store.entries({ after: at, limit: PAGE })
      const last = entries.at(-1)
      if (!last) break
      const commits = entries.flatMap((entry) => (entry.kind === 'commit' ? [entry.commit] : []))
      const stored = commits.flatMap((commit) =>
        commit.events
          .filter((event) => event.type === 'stored' && isModelName(modelOf(event)))
          .map((event) => ({ commit, event })),
      )
      await inParallel(stored, AT_ONCE, ({ commit, event }) => this.#state(commit, event))
      for (const commit of commits) for (const event of commit.events) this.#history(commit, event)
      at = last.position
      onProgress?.({ at: Math.min(at, end), end, resealed: this.tally.resealed })
    }
  }

  /** The log as the issuer sees it: another one may have things of its own under the same ids. */
  #logOf({ meta: { instance } }: Commit): ModelLog {
    const issuers = instance === undefined ? [] : [instance]
    const log =
      this.#logs.get(instance) ?? new ModelLog(this.#store, this.#clock, { heldBytes: 0, issuers: () => issuers })
    this.#logs.set(instance, log)
    return log
  }

  async #state(commit: Commit, event: Event): Promise<void> {
    const log = this.#logOf(commit)
    const { keys } = this.#store
    const model = modelOf(event)
    const sealed = String(event.data['sealed'])
    const names = ownNames(model, event)
    const ringKey = keys.ringKeyIn(sealed)
    this.tally.states.looked += 1
    if (this.#isExpired(event)) return
    const until = untilOf(event)
    try {
      const state = await log.findUnder(model, names)
      if (state?.commit !== commit.id || (await this.#isRevoked(log, state))) return
      const id = idOf(state)
      const wanted = id === undefined ? names : keys.streams(model, id)
      const isFound = wanted.every((name) => names.includes(name))
      if (id === undefined) {
        this.tally.states.unnamed += 1
        // It has one name for each hashing key that it was stored with.
        if (names.length < keys.streams(model, '').length) this.tally.needs('hashing', undefined, { of: model, until })
      }
      if (isFound && (ringKey === undefined || ringKey === keys.sealsWith)) return
      if (LEFT_ALONE.has(model)) {
        if (ringKey !== undefined && ringKey !== keys.sealsWith)
          this.tally.needs('sealing', ringKey, { of: model, until })
        if (!isFound) this.tally.needs('hashing', undefined, { of: model, until })
        return
      }
      const began = beganAt({ commit, event })
      const again = { state, commit, sealed, names: [...new Set([...wanted, ...names])], began }
      if (this.#options.dryRun || (await this.#storeAgain(again))) this.tally.states.resealed += 1
    } catch (error) {
      if (!isUnreadable(error)) throw error
      this.tally.states.unreadable += 1
      this.tally.needs('sealing', ringKey, { of: model, until })
    }
  }

  /** False: its account was forgotten meanwhile. */
  async #storeAgain({ state, commit, sealed, names, began }: Again): Promise<boolean> {
    const { model, payload } = state
    const { meta, expiresAt } = commit
    const { instance } = meta
    const [stream = ''] = names
    const log = this.#logOf(commit)
    const { accountKeys } = log
    const { revocations } = await log.recordUnder(model, state.names)
    const data = await repeatedData(
      { keys: accountKeys, issuer: instance ?? '' },
      model,
      stream,
      { ...state, began, ...(model === 'Grant' && { revocations }) },
      { commit: commit.id, sealed },
    )
    if (!data) return false
    await this.#store.append({
      events: [eventOf(names, 'stored', data, indexStreams(this.#store.keys, model, payload))],
      meta: { ...(instance !== undefined && { instance }), actor: 'rekey' },
      ...(expiresAt !== undefined && { expiresAt }),
    })
    return true
  }

  /** What the log tells of the past is sealed with the keys of accounts; before there were any, with the ring. */
  #history({ expiresAt }: Commit, { type, data }: Event): void {
    const { keys } = this.#store
    for (const value of [data['user_id'], (data['target'] as { account?: unknown } | undefined)?.account]) {
      const ringKey = typeof value === 'string' ? keys.ringKeyIn(value) : undefined
      if (ringKey !== undefined && ringKey !== keys.sealsWith)
        this.tally.needs('sealing', ringKey, { of: type, until: expiresAt })
    }
  }

  async #isRevoked(log: ModelLog, { model, payload, grantSeen }: ModelState): Promise<boolean> {
    const grantId = grantIdOf(model, payload)
    return grantId !== undefined && isRevoked(model, grantSeen, await log.record('Grant', grantId))
  }

  #isExpired({ data }: Event): boolean {
    return typeof data['exp'] === 'number' && data['exp'] * 1_000 < this.#clock.now()
  }
}

function untilOf({ data }: Event): Needed['until'] {
  return typeof data['exp'] === 'number' ? data['exp'] * 1_000 : undefined
}

function textsIn(value: Json): string[] {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : []
}

function modelOf({ stream }: Event): string {
  return stream.slice(0, stream.indexOf(':'))
}
