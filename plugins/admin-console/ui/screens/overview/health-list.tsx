import type { Overview } from '../../../api/contract.ts'
import { Chip, type Tone } from '../../parts/chip.tsx'
import { duration } from '../../parts/time-text.ts'
import { bounded, counted } from '../../parts/words.ts'

type Health = Overview['health']

interface Line {
  readonly what: string
  readonly tone: Tone
  readonly word: string
  readonly more?: string
}

/** What `health()` of the process says that answered. */
export function HealthList({ health }: { readonly health: Health }) {
  return (
    <section aria-labelledby="health">
      <h2 id="health">Health of this process</h2>
      <dl class="health">
        {linesOf(health).map(({ what, tone, word, more }) => (
          <div key={what}>
            <dt>{what}</dt>
            <dd>
              <Chip tone={tone} text={word} />
              {more !== undefined && <span class="hint">{more}</span>}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  )
}

function linesOf(health: Health): Line[] {
  return [
    storeLine(health),
    ...plannerLines(health),
    featureLine(health),
    ...parkedLines(health),
    ...circuitLines(health),
    ...forgedLines(health),
  ]
}

function storeLine({ store }: Health): Line {
  if (store.isReachable) return { what: 'Store', tone: 'good', word: 'answers' }
  return { what: 'Store', tone: 'bad', word: 'unreachable', ...(store.error !== undefined && { more: store.error }) }
}

function plannerLines({ planner }: Health): Line[] {
  if (!planner) return []
  const what = 'Planner'
  if (planner.stopped !== undefined) return [{ what, tone: 'bad', word: 'stopped', more: planner.stopped }]
  if (planner.behind === 0) return [{ what, tone: 'good', word: 'up to date' }]
  const more = `${counted(planner.behind, 'commit')}, ${duration(planner.behindMs)}`
  return [{ what, tone: planner.behindMs < 60_000 ? 'busy' : 'bad', word: 'behind', more }]
}

function featureLine({ isOn }: Health): Line {
  return { what: 'Back-channel logout', ...(isOn ? { tone: 'good', word: 'on' } : { tone: 'warn', word: 'off' }) }
}

function parkedLines({ parked }: Health): Line[] {
  if (!parked) return []
  return [
    parked.count === 0
      ? { what: 'Parked commits', tone: 'good', word: 'none' }
      : { what: 'Parked commits', tone: 'bad', word: bounded(parked) },
  ]
}

function circuitLines({ openCircuits }: Health): Line[] {
  if (!openCircuits) return []
  return [
    openCircuits.length === 0
      ? { what: 'Open circuits', tone: 'good', word: 'none' }
      : { what: 'Open circuits', tone: 'warn', word: String(openCircuits.length), more: openCircuits.join(', ') },
  ]
}

function forgedLines({ forged }: Health): Line[] {
  if (!forged) return []
  const more = `${counted(forged.commits, 'commit')}, the first at position ${forged.first}`
  return [{ what: 'Written by somebody else', tone: 'bad', word: 'found', more }]
}
