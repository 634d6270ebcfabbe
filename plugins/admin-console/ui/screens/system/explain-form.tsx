import { useSignal } from '@preact/signals'
import { useId } from 'preact/hooks'
import type { ExplainAnswer, ExplainRequest } from '../../../api/contract.ts'
import { Chip, type Tone } from '../../parts/chip.tsx'
import { asSentence, sentence } from '../../parts/sentence.ts'
import { Time } from '../../parts/time.tsx'
import { number, reasonText } from '../../parts/words.ts'
import { asFailure, type Failure } from '../../server/failure.ts'
import { apiUrl, request } from '../../server/request.ts'

/** What the server takes at most, in characters. */
const MOST = 16_000

/**
 * Asks what became of a token, a code, a session or a grant. What is asked for may be a credential: it is sent in the
 * body, stands in no URL, is hidden like a password, and leaves the field when it was answered.
 */
export function ExplainForm() {
  const thing = useSignal('')
  const answer = useSignal<ExplainAnswer | undefined>(undefined)
  const failure = useSignal<Failure | undefined>(undefined)
  const isAsking = useSignal(false)
  const id = useId()
  const explain = async () => {
    isAsking.value = true
    failure.value = undefined
    answer.value = undefined
    try {
      const body: ExplainRequest = { thing: thing.value.trim() }
      answer.value = await request<ExplainAnswer>(apiUrl('/explain'), { method: 'POST', body })
      thing.value = ''
    } catch (error) {
      failure.value = asFailure(error)
    } finally {
      isAsking.value = false
    }
  }
  return (
    <section class="panel" aria-labelledby={`${id}-title`}>
      <h2 id={`${id}-title`}>Explain</h2>
      <form
        class="filter-form"
        method="post"
        onSubmit={(event) => {
          event.preventDefault()
          if (!isAsking.value && thing.value.trim() !== '') void explain()
        }}
      >
        <div class="field grow">
          <label for={id}>What became of this token, code, session id, uid, sid or grant?</label>
          <input
            id={id}
            type="password"
            autocomplete="off"
            spellcheck={false}
            maxLength={MOST}
            data-search
            data-1p-ignore
            value={thing.value}
            onInput={({ currentTarget }) => {
              thing.value = currentTarget.value
            }}
          />
        </div>
        <button type="submit" class="primary" aria-disabled={isAsking.value}>
          {isAsking.value ? 'Asking…' : 'Explain'}
        </button>
      </form>
      <p class="hint">It is sent once, and kept nowhere: not in a URL, and not by the server.</p>
      <div role="status">
        {failure.value && <p class="outcome bad">{sentence(failure.value)}</p>}
        {answer.value && <Explanation explanation={answer.value} />}
      </div>
    </section>
  )
}

const TONES: Readonly<Record<string, Tone>> = {
  valid: 'good',
  never_stored: 'quiet',
  not_stored: 'quiet',
  another_issuer: 'quiet',
  rotated: 'busy',
}

function Explanation({ explanation: { model, verdict, summary, facts } }: { readonly explanation: ExplainAnswer }) {
  return (
    <div class="explanation">
      <p>
        <Chip tone={TONES[verdict] ?? 'warn'} text={verdict.replaceAll('_', ' ')} /> <strong>{model}</strong>
      </p>
      <p>{asSentence(summary)}</p>
      {facts.length > 0 && (
        <ol class="facts">
          {facts.map((fact) => (
            <li key={`${fact.position} ${fact.model} ${fact.what}`}>
              <Time at={fact.at} />
              <span>
                <strong>
                  {fact.model} {fact.what.replaceAll('_', ' ')}
                </strong>
                <span class="hint">
                  {' '}
                  commit {number(fact.position)}
                  {fact.reason !== undefined && ` · ${reasonText(fact.reason)}`}
                  {fact.actor !== undefined && ` · by ${fact.actor}`}
                  {fact.beside.length > 0 && ` · with ${fact.beside.join(', ')}`}
                </span>
              </span>
            </li>
          ))}
        </ol>
      )}
    </div>
  )
}
