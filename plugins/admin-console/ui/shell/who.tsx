import { Chip } from '../parts/chip.tsx'
import { me, meFailure } from './me.ts'

/** Who is signed in, and what they may do. */
export function Who() {
  const who = me.value
  if (!who) return <span class="who">{meFailure.value ? 'Not known' : ''}</span>
  return (
    <div class="who">
      <span class="who-name" title={`Signed in as ${who.name}`}>
        <span class="visually-hidden">Signed in as </span>
        {who.name}
      </span>
      <Chip tone="quiet" icon={who.role === 'operator' ? 'check' : 'search'} text={who.role} />
      {who.signOutUrl !== undefined && (
        <form method="post" action={who.signOutUrl}>
          <button type="submit" class="small">
            Sign out
          </button>
        </form>
      )}
    </div>
  )
}
