import type { Clock } from '../clock.ts'
import { isIn } from '../log/commit.ts'
import type { EventStore } from '../log/event-store.ts'
import { ModelLog } from '../provider/model-log.ts'
import { endsStream, isRevoked, type LocatedEvent, type ModelRecord } from '../provider/model-record.ts'
import type { ModelState } from '../provider/model-state.ts'
import { isConsumable, isShared } from '../provider/models.ts'
import { grantIdOf } from '../provider/staged-write.ts'
import { isUnreadable } from '../secrets/unreadable.ts'
import type { Explanation, Fact, Verdict } from './explanation.ts'
import { factsOf, isRotation } from './facts.ts'
import { type Located, locate } from './located.ts'

/** What an explanation is made with. */
export interface ExplainParts {
  readonly store: EventStore
  readonly clock: Clock
  /** The issuers whose commits the provider finds; empty: those of all. */
  readonly issuers: readonly string[]
}

interface Judged {
  readonly verdict: Verdict
  /** What happened elsewhere, and decided. */
  readonly facts?: readonly Fact[]
}

/**
 * What became of a token, a code, a session's cookie value, uid or sid, a user code, a client or a grant: from the log
 * alone, with a handful of look-ups.
 */
export async function explain(parts: ExplainParts, thing: string): Promise<Explanation> {
  const located = await locate(parts.store, thing)
  if (!located) return explanation(isJwt(thing) ? 'not_stored' : 'never_stored')
  const { model, history } = located
  const { verdict, facts = [] } = await new Judge(parts).judge(located)
  const all = [...factsOf(model, history), ...facts].sort((a, b) => a.position - b.position)
  return explanation(verdict, model, all)
}

class Judge {
  readonly #parts: ExplainParts
  readonly #log: ModelLog

  constructor(parts: ExplainParts) {
    this.#parts = parts
    this.#log = new ModelLog(parts.store, parts.clock, { heldBytes: 0 })
  }

  async judge({ model, names, history }: Located): Promise<Judged> {
    if (model === 'Session') return this.#session(names, history)
    const record = await this.#log.recordUnder(model, names)
    if (!record.stored) return { verdict: 'ended' }
    if (this.#isForeign(model, record.stored)) return { verdict: 'another_issuer' }
    const state = await this.#open(model, record)
    if (!state) return { verdict: 'forgotten' }
    if (state === 'unreadable') return { verdict: 'unreadable' }
    if (isConsumable(model) && record.consumedAt !== undefined) return { verdict: 'used' }
    return (await this.#underGrant(state, record.stored)) ?? (await this.#withSession(state)) ?? this.#byTime(state)
  }

  async #session(names: readonly string[], history: readonly LocatedEvent[]): Promise<Judged> {
    const last = history.at(-1) as LocatedEvent
    const isById = names.some((name) => name.startsWith('Session:'))
    if (isById && last.event.type === 'destroyed')
      return { verdict: isRotation(last.commit, last.event) ? 'rotated' : 'ended' }
    const stored = history.findLast(({ event }) => event.type === 'stored')
    if (stored && this.#isForeign('Session', stored)) return { verdict: 'another_issuer' }
    const uid = isById ? (last.event.also ?? []).filter((name) => name.startsWith('uid:')) : names
    try {
      const head = await this.#log.findSessionUnder(uid)
      return head && 'state' in head ? this.#byTime(head.state) : { verdict: 'ended' }
    } catch (error) {
      if (isUnreadable(error)) return { verdict: 'unreadable' }
      throw error
    }
  }

  /** Undefined: its grant has nothing against it. */
  async #underGrant(state: ModelState, stored: LocatedEvent): Promise<Judged | undefined> {
    const grantId = grantIdOf(state.model, state.payload)
    if (grantId === undefined) return undefined
    const { store } = this.#parts
    const names = store.keys.streams('Grant', grantId)
    const grant = await this.#log.recordUnder('Grant', names)
    if (isRevoked(state.model, state.grantSeen, grant)) {
      const streams = names.map((name) => endsStream(name, state.grantSeen.generation))
      const later = await store.readStreams(streams, { from: stored.commit.position + 1 })
      const ends = later.flatMap((commit) =>
        commit.events
          .filter((event) => streams.some((stream) => isIn(event, stream)))
          .map((event): LocatedEvent => ({ commit, event })),
      )
      return { verdict: 'revoked', facts: factsOf('Grant', ends) }
    }
    return this.#isPast(grant.stored?.event.data['exp']) ? { verdict: 'grant_expired' } : undefined
  }

  /** Undefined: it does not depend on a session, or that lives. */
  async #withSession({ payload }: ModelState): Promise<Judged | undefined> {
    const { sessionUid, expiresWithSession } = payload
    if (expiresWithSession !== true || typeof sessionUid !== 'string') return undefined
    const located = await locate(this.#parts.store, sessionUid)
    if (!located) return { verdict: 'session_ended' }
    const { verdict } = await this.#session(located.names, located.history)
    if (verdict === 'valid') return undefined
    const end = factsOf('Session', located.history).filter(({ what }) => what === 'ended')
    return { verdict: 'session_ended', facts: end }
  }

  #byTime({ payload }: ModelState): Judged {
    return { verdict: this.#isPast(payload['exp']) ? 'expired' : 'valid' }
  }

  #isPast(exp: unknown): boolean {
    return typeof exp === 'number' && exp <= this.#parts.clock.now() / 1_000
  }

  #isForeign(model: string, { commit: { meta } }: LocatedEvent): boolean {
    const { issuers } = this.#parts
    return issuers.length > 0 && meta.instance !== undefined && !isShared(model) && !issuers.includes(meta.instance)
  }

  /** Undefined: its account was forgotten. */
  async #open(model: string, record: ModelRecord): Promise<ModelState | 'unreadable' | undefined> {
    try {
      return await this.#log.open(model, record)
    } catch (error) {
      if (isUnreadable(error)) return 'unreadable'
      throw error
    }
  }
}

/** A JWS or a JWE begins with a header in JSON, which names an algorithm (RFC 7515 section 4.1.1). */
function isJwt(thing: string): boolean {
  const [header = '', ...more] = thing.split('.')
  if (more.length !== 2 && more.length !== 4) return false
  try {
    const parsed: unknown = JSON.parse(Buffer.from(header, 'base64url').toString())
    return typeof parsed === 'object' && parsed !== null && 'alg' in parsed
  } catch {
    return false
  }
}

const SUMMARIES: Readonly<Record<Verdict, string>> = {
  never_stored:
    'nothing of it is in this log: it was never stored, under other hashing keys or in another database, or so long ago that it is gone',
  not_stored: 'it is a JWT: oidc-provider does not store JWTs, so the log knows nothing of it',
  valid: 'it is as good as when it was issued',
  expired: 'it has expired',
  used: 'it was good for one use, and that was made',
  revoked: 'what it was issued under has ended, or was revoked after it was issued',
  grant_expired: 'the grant that it was issued under has expired',
  session_ended: 'it lasts as long as its session, which has ended',
  ended: 'it was ended',
  rotated: 'the session goes on under another cookie value: this one was replaced',
  another_issuer: 'another issuer of this log has stored it: this one does not find it',
  forgotten: 'it belonged to an account that was forgotten since: nobody can open it any more',
  unreadable: 'it cannot be opened: the key that sealed it is not configured here, or what was stored was changed',
}

function explanation(verdict: Verdict, model?: string, facts: readonly Fact[] = []): Explanation {
  return { ...(model !== undefined && { model }), verdict, summary: SUMMARIES[verdict], facts }
}
