import type { Commit, Event } from '../log/commit.ts'
import type { LocatedEvent } from '../provider/model-record.ts'
import type { Fact } from './explanation.ts'

const WHAT: Readonly<Record<string, Fact['what']>> = {
  stored: 'stored',
  consumed: 'used',
  destroyed: 'ended',
  revoked: 'revoked',
}

/** The model in whose own stream an event is; undefined: it is of something else. */
export function modelOf({ stream }: Event): string | undefined {
  const model = stream.slice(0, Math.max(0, stream.indexOf(':')))
  return /^\p{Lu}/u.test(model) ? model : undefined
}

/** What happened to one instance of a model, in words. */
export function factsOf(model: string, history: readonly LocatedEvent[]): Fact[] {
  let isStored = false
  return history.flatMap(({ commit, event }): Fact[] => {
    const said = WHAT[event.type]
    if (!said) return []
    const what = said === 'stored' && isStored ? 'stored_again' : isRotation(commit, event) ? 'rotated' : said
    isStored ||= said === 'stored'
    const { position, at, meta } = commit
    const reason = reasonIn(commit)
    return [
      {
        position,
        at,
        model,
        what,
        ...(meta.instance !== undefined && { issuer: meta.instance }),
        ...(meta.actor !== undefined && { actor: meta.actor }),
        ...(what === 'ended' && model === 'Session' && reason !== undefined && { reason }),
        beside: besides(commit, event),
      },
    ]
  })
}

/** Whether the commit that destroys a session stores it again, under another cookie value. */
export function isRotation({ events }: Commit, { type, stream, also = [] }: Event): boolean {
  const uid = also.find((name) => name.startsWith('uid:'))
  if (type !== 'destroyed' || !stream.startsWith('Session:') || uid === undefined) return false
  return events.some((other) => other.type === 'stored' && (other.also ?? []).includes(uid))
}

function reasonIn({ events }: Commit): string | undefined {
  const reason = events.find(({ type }) => type === 'session_logout.terminated')?.data['reason']
  return typeof reason === 'string' ? reason : undefined
}

function besides({ events }: Commit, fact: Event): string[] {
  const others = events.flatMap((event) => {
    const model = modelOf(event)
    return event === fact || model === undefined ? [] : [`${model} ${WHAT[event.type] ?? event.type}`]
  })
  return [...new Set(others)]
}
