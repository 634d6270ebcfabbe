import { useEffect, useRef } from 'preact/hooks'
import { Time } from '../parts/time.tsx'
import { toast } from '../parts/toast.ts'
import { brokenSince, type LiveState, liveState, reconnect } from '../server/live.ts'

const TEXTS: Readonly<Record<LiveState, string>> = {
  connecting: 'Connecting',
  live: 'Live',
  broken: 'Not live',
  resting: 'Resting',
}

/** Whether what is shown follows the log; and since when it does not. */
export function LiveIndicator() {
  const state = liveState.value
  const since = brokenSince.value
  const before = useRef(state)
  useEffect(() => {
    if (before.current === 'broken' && state === 'live') toast('Live again: what is shown is up to date.')
    if (before.current === 'live' && state === 'broken')
      toast('The connection broke off: what is shown may be old.', 'bad')
    before.current = state
  }, [state])
  return (
    <span class={`live ${state}`} data-live={state}>
      <span class="live-dot" aria-hidden="true" />
      <span class="live-text">
        {TEXTS[state]}
        {since !== undefined && state === 'broken' && (
          <>
            {', last heard '}
            <Time at={since} />
          </>
        )}
      </span>
      {state === 'broken' && (
        <button type="button" class="small" onClick={reconnect}>
          Connect
        </button>
      )}
    </span>
  )
}
