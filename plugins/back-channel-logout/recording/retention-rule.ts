import { inParallel } from '../../../lib/in-parallel.ts'
import {
  type Event,
  isOlder,
  type LocatedEvent,
  LogForgedError,
  type RetentionContext,
  type RetentionRule,
} from '../../../lib/index.ts'
import { isParkedEvent, parkedPositions } from '../delivery/parked-commits.ts'
import { completionStream, terminationOfStream } from './index-streams.ts'
import { uidOfStream } from './session-logout-events.ts'

/** So many histories are asked for at a time. */
const AT_ONCE = 8

/** So long after it has expired a provider may still take a session (`clockTolerance`), in milliseconds. */
const TOLERANCE_MS = 3_600_000

/** A history stays for so much longer than a delivery may be owed, in milliseconds: whatever is younger is there. */
export const BEYOND_DELIVERY_MS: number = 7 * 24 * 3_600_000

/**
 * The history of a session's logout goes as a whole, when the session is over and nothing was added for as long as such
 * histories are kept; that of a termination job, when it is complete; what was parked, when it is not parked any more.
 *
 * @param maxAgeMs - for how long a delivery may be owed at most, in milliseconds: as long the history is needed
 */
export function sessionLogoutRule(maxAgeMs: number): RetentionRule {
  const keepMs = ({ policy }: RetentionContext): number =>
    Math.max(policy.sessionLogoutsMs, maxAgeMs + BEYOND_DELIVERY_MS)
  return {
    knows: (event) =>
      uidOfStream(event.stream) !== undefined ||
      terminationOfStream(event.stream) !== undefined ||
      isParkedEvent(event),
    pinned: parkedPositions,
    async judge(facts, context) {
      const old = facts.filter(({ commit }) => isOlder(commit.position, keepMs(context), context))
      const over = new Set<string>()
      const streams = new Set(old.filter(({ event }) => !isParkedEvent(event)).map(({ event }) => event.stream))
      await inParallel([...streams], AT_ONCE, async (stream) => {
        try {
          if (await isOver(stream, keepMs(context), context)) over.add(stream)
        } catch (error) {
          if (!(error instanceof LogForgedError)) throw error // one of its kind keeps no others from going
        }
      })
      const known = new Set(old.map(({ event }) => event))
      return {
        mayGo: ({ event }: LocatedEvent) =>
          known.has(event) && (isParkedEvent(event) ? !isStillParked(event, context) : over.has(event.stream)),
      }
    },
  }
}

async function isOver(stream: string, keepMs: number, context: RetentionContext): Promise<boolean> {
  const { store } = context
  const newest = await store.latest(stream)
  if (newest && !isOlder(newest.position, keepMs, context)) return false
  const uid = uidOfStream(stream)
  if (uid !== undefined) return !(await mayLive(context, uid))
  return (await store.latest(completionStream(terminationOfStream(stream) as string))) !== undefined
}

/** Whether the session's newest state may live: then its end is yet to come, or may be repeated. */
async function mayLive({ store, now }: RetentionContext, uid: string): Promise<boolean> {
  const names = store.keys.streams('uid', uid)
  const [newest] = await store.readStreams(names, { direction: 'backwards', limit: 1 })
  const state = newest?.events.find(({ type, also }) => type === 'stored' && names.some((name) => also?.includes(name)))
  const exp = state?.data['exp']
  return state !== undefined && !(typeof exp === 'number' && exp * 1_000 + TOLERANCE_MS <= now)
}

function isStillParked({ data }: Event, { pinned }: RetentionContext): boolean {
  return pinned.has(Number(data['position']))
}
