import type { Problem } from '../../../api/contract.ts'
import { Chip, type Tone } from '../../parts/chip.tsx'
import { Icon } from '../../parts/icon.tsx'
import { clientPath } from '../../parts/links.tsx'
import { hrefOf } from '../../routing/location.ts'

const TONES: Readonly<Record<Problem['severity'], readonly [Tone, string]>> = {
  error: ['bad', 'Error'],
  warning: ['warn', 'Warning'],
  notice: ['quiet', 'Notice'],
}

/** Where something can be done about it. */
const PLACES: Readonly<Partial<Record<Problem['code'], readonly [path: string, text: string]>>> = {
  COMMITS_PARKED: ['/parked', 'Parked commits'],
  FEATURE_OFF: ['/features', 'Features'],
  DEAD_LETTERS: ['/dead-letters', 'Dead letters'],
  DELIVERIES_OVERDUE: ['/pending', 'Pending'],
}

/** What needs an operator, the worst first; and a word of calm where nothing does. */
export function Problems({ problems }: { readonly problems: readonly Problem[] }) {
  if (problems.length === 0)
    return (
      <p class="notice good">
        <Icon name="check" />
        Nothing needs you.
      </p>
    )
  return (
    <section aria-label="Problems">
      <ul class="problems">
        {problems.map((problem) => (
          <Item key={`${problem.code} ${problem.clientId ?? ''}`} problem={problem} />
        ))}
      </ul>
    </section>
  )
}

function Item({ problem: { code, severity, message, advice, clientId } }: { readonly problem: Problem }) {
  const [tone, word] = TONES[severity] ?? TONES.notice
  const [path, text] = clientId === undefined ? (PLACES[code] ?? []) : [clientPath(clientId), clientId]
  return (
    <li class="problem">
      <Chip tone={tone} text={word} />
      <p>
        <strong>{message}</strong> <span class="hint">{advice}</span>
      </p>
      {path !== undefined && (
        <a class="button small" href={hrefOf(path)}>
          {text} <Icon name="arrow" />
        </a>
      )}
    </li>
  )
}
