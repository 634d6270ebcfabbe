import { batch, type ReadonlySignal, type Signal, signal } from '@preact/signals'
import type { LiveChanges, LiveHello, LiveTopic, Me, Operation } from '../../api/contract.ts'
import { after, now } from '../browser/clock.ts'
import { learnOperation } from './operations.ts'
import { apiUrl, request } from './request.ts'

/**
 * How the stream of changes stands.
 *
 * - `connecting`: for the first time
 * - `live`: what is shown follows the log
 * - `broken`: the stream broke off, and another one is tried: what is shown is as old as `brokenSince`
 * - `resting`: the page is hidden, and follows nothing
 */
export type LiveState = 'connecting' | 'live' | 'broken' | 'resting'

/** Pauses before the stream is tried again, in milliseconds; the last one stays. Chance makes each up to half longer. */
const PAUSES_MS = [1_000, 2_000, 5_000, 10_000, 30_000]

/** A stream that was silent for so long is doubted, in milliseconds: the server is asked who is signed in. */
const SILENCE_MS = 45_000

/** A page that is hidden for so long follows nothing any more, in milliseconds. */
const HIDDEN_MS = 15_000

const TOPICS: readonly LiveTopic[] = [
  'sessions',
  'logouts',
  'dead_letters',
  'clients',
  'features',
  'terminations',
  'parked',
]

const state = signal<LiveState>('connecting')
const since = signal<number | undefined>(undefined)
const revisions = new Map<LiveTopic | 'log', Signal<number>>(
  [...TOPICS, 'log' as const].map((topic) => [topic, signal(0)]),
)

export const liveState: ReadonlySignal<LiveState> = state

/** Since when nothing is heard; undefined while the stream stands. */
export const brokenSince: ReadonlySignal<number | undefined> = since

/** Grows when one of the topics has changed. `log`: whatever was committed. Read it in a computation that follows it. */
export function revisionOf(topics: readonly (LiveTopic | 'log')[]): number {
  return topics.reduce((sum, topic) => sum + (revisions.get(topic)?.value ?? 0), 0)
}

let stopCurrent: (() => void) | undefined
let attempts = 0

/** Follows the server while somebody looks. */
export function startLive(): void {
  let callOff: (() => void) | undefined
  document.addEventListener('visibilitychange', () => {
    callOff?.()
    callOff = undefined
    if (document.visibilityState === 'hidden') callOff = after(HIDDEN_MS, rest)
    else if (state.value === 'resting') connect()
  })
  connect()
}

/** Tries at once, for the impatient. */
export function reconnect(): void {
  attempts = 0
  connect()
}

function rest(): void {
  stopCurrent?.()
  state.value = 'resting'
}

function connect(): void {
  stopCurrent?.()
  const source = new EventSource(apiUrl('/live'))
  let stopDoubting = (): void => {}
  const stop = () => {
    stopDoubting()
    source.close()
  }
  const broke = () => {
    stop()
    since.value ??= now()
    // The server ends each stream after a while: the first break says nothing yet.
    if (attempts > 0 || state.value !== 'live') {
      state.value = 'broken'
      request<Me>(apiUrl('/me')).catch(() => undefined) // tells, beside, whether the sign-in is over
    }
    stopCurrent = after(pauseMs(), connect)
  }
  const heard = () => {
    stopDoubting()
    stopDoubting = after(SILENCE_MS, () => void doubt(heard, broke))
  }
  stopCurrent = stop
  source.addEventListener('error', broke)
  follow<LiveHello>(source, 'hello', () => {
    heard()
    attempts = 0
    batch(() => {
      state.value = 'live'
      since.value = undefined
      bump([...TOPICS, 'log'])
    })
  })
  follow<LiveChanges>(source, 'changes', ({ topics }) => {
    heard()
    batch(() => bump([...topics, 'log']))
  })
  follow<Operation>(source, 'operation', (operation) => {
    heard()
    learnOperation(operation)
  })
}

/** Comments that keep a stream alive are not told to pages: a question that costs the database nothing tells instead. */
async function doubt(heard: () => void, broke: () => void): Promise<void> {
  try {
    await request<Me>(apiUrl('/me'))
    heard()
  } catch {
    broke()
  }
}

function follow<T>(source: EventSource, event: string, hear: (data: T) => void): void {
  source.addEventListener(event, (message) => hear(JSON.parse(message.data) as T))
}

function bump(topics: readonly (LiveTopic | 'log')[]): void {
  for (const topic of topics) {
    const revision = revisions.get(topic)
    if (revision) revision.value += 1
  }
}

function pauseMs(): number {
  const ms = PAUSES_MS[Math.min(attempts, PAUSES_MS.length - 1)] ?? 0
  attempts += 1
  return ms * (1 + Math.random() / 2)
}
