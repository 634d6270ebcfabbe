import type { Overview } from '../../api/contract.ts'
import { Icon } from '../parts/icon.tsx'
import { counted } from '../parts/words.ts'
import { hrefOf, place } from '../routing/location.ts'
import { apiUrl } from '../server/request.ts'
import { useResource } from '../server/resource.ts'

/** How often the overview is asked for on other screens, in milliseconds. */
const REFRESH_MS = 15_000

/** What needs an operator, from every screen but the overview, which lists it. */
export function ProblemsBadge() {
  return place.value.path === '/' ? null : <Badge />
}

function Badge() {
  const { state } = useResource<Overview>(
    apiUrl('/overview'),
    ['clients', 'dead_letters', 'parked', 'features'],
    REFRESH_MS,
  )
  const problems = state.value.value?.problems ?? []
  const serious = problems.filter(({ severity }) => severity !== 'notice')
  if (serious.length === 0) return null
  const isError = serious.some(({ severity }) => severity === 'error')
  return (
    <a class={`badge ${isError ? 'bad' : 'warn'}`} href={hrefOf('/')}>
      <Icon name="warning" />
      {counted(serious.length, 'problem')}
    </a>
  )
}
