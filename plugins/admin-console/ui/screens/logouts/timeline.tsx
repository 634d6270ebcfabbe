import type { LogoutTimeline, TimelineEntry } from 'oidc-provider-eventstore/plugins/back-channel-logout'
import type { ComponentChildren } from 'preact'
import { currentTime } from '../../browser/clock.ts'
import type { Tone } from '../../parts/chip.tsx'
import { Icon, type IconName } from '../../parts/icon.tsx'
import { Time } from '../../parts/time.tsx'
import { duration, exactTime } from '../../parts/time-text.ts'
import { failureText, reasonText } from '../../parts/words.ts'

/** Everything that happened to the logout, from the first login to the last confirmation. */
export function Timeline({ timeline }: { readonly timeline: LogoutTimeline }) {
  const { entries, isCut } = timeline
  const endedAt = entries.find(({ kind }) => kind === 'ended')?.at
  return (
    <section aria-labelledby="timeline">
      <h2 id="timeline">Timeline</h2>
      {isCut && <p class="hint">There is more than was read: these are the newest 1,000 commits.</p>}
      <ol class="timeline">
        {entries.map((entry, index) => (
          <Entry key={`${entry.position} ${entry.kind} ${index}`} entry={entry} endedAt={endedAt} />
        ))}
      </ol>
    </section>
  )
}

const LOOKS: Readonly<Record<TimelineEntry['kind'], readonly [IconName, Tone]>> = {
  registered: ['dot', 'quiet'],
  ended: ['plug', 'warn'],
  owed: ['dot', 'quiet'],
  attempt_failed: ['warning', 'warn'],
  confirmed: ['check', 'good'],
  rejected: ['cross', 'bad'],
  abandoned: ['cross', 'bad'],
  superseded: ['skip', 'quiet'],
  replayed: ['replay', 'busy'],
}

function Entry({ entry, endedAt }: { readonly entry: TimelineEntry; readonly endedAt: number | undefined }) {
  const [icon, tone] = LOOKS[entry.kind] ?? (['dot', 'quiet'] as const)
  const { at, position } = entry
  return (
    <li class={tone}>
      <span class="mark">
        <Icon name={icon} />
      </span>
      <div class="entry">
        <p class="entry-head">
          <strong>{titleOf(entry)}</strong>
          <span class="hint">
            <Time at={at} />
            {endedAt !== undefined && at > endedAt && ` · ${duration(at - endedAt)} after the end`} · commit {position}
          </span>
        </p>
        {detailsOf(entry)}
      </div>
    </li>
  )
}

function titleOf(entry: TimelineEntry): string {
  switch (entry.kind) {
    case 'registered':
      return `${entry.clientId} got a login`
    case 'ended':
      return entry.scope === 'session'
        ? `The session ended: ${reasonText(entry.reason)}`
        : `Logins ended: ${reasonText(entry.reason)}`
    case 'owed':
      return `${entry.clientId} is told as well: it has a logout URI by now`
    case 'attempt_failed':
      return `Attempt ${entry.attempt} at ${entry.clientId} failed`
    case 'confirmed':
      return `${entry.clientId} confirmed`
    case 'rejected':
      return `${entry.clientId} refused for good`
    case 'abandoned':
      return `${entry.clientId} was given up: ${failureText(entry.failureReason)}`
    case 'superseded':
      return `${entry.clientId} was left out: it would have ended a newer login`
    case 'replayed':
      return `Sent again to ${entry.clientId} by ${entry.actor}`
  }
}

function detailsOf(entry: TimelineEntry): ComponentChildren {
  switch (entry.kind) {
    case 'ended':
      return (
        <p class="hint">
          {entry.actor !== undefined && `By ${entry.actor}. `}
          {entry.initiatingClient !== undefined && `Asked for by ${entry.initiatingClient}. `}
          {entry.beside.length > 0 && `The same commit: ${entry.beside.join(', ')}. `}
          {entry.deliveries.length === 0
            ? 'Nobody is to be told.'
            : `To be told: ${entry.deliveries.map(({ clientId }) => clientId).join(', ')}.`}
        </p>
      )
    case 'attempt_failed':
      return (
        <>
          <Said {...entry} />
          {entry.nextAttemptAt > currentTime.value && (
            <p class="hint">
              Next try <Time at={entry.nextAttemptAt} />, {exactTime(entry.nextAttemptAt)}
            </p>
          )}
        </>
      )
    case 'confirmed':
      return (
        <p class="hint">
          Status {entry.status} in {duration(entry.tookMs)}, attempt {entry.attempt}
          {entry.timeToLogoutMs !== undefined && `: told ${duration(entry.timeToLogoutMs)} after the end`}
        </p>
      )
    case 'rejected':
    case 'abandoned':
      return <Said {...entry} />
    default:
      return null
  }
}

interface Words {
  readonly status?: number
  readonly error?: string
  readonly answer?: string
}

/** What the RP answered, or why it did not. It is somebody else's text. */
function Said({ status, error, answer }: Words) {
  if (status === undefined && error === undefined && answer === undefined) return null
  return (
    <>
      <p class="hint">
        {status !== undefined && `Status ${status}`}
        {error}
        {answer === '' && ', without a body'}
      </p>
      {answer !== undefined && answer !== '' && <pre>{answer}</pre>}
    </>
  )
}
