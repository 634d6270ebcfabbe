import { useSignal } from '@preact/signals'
import type { ClientTestAnswer } from '../../../api/contract.ts'
import { AllowedButton } from '../../parts/allowed-button.tsx'
import { Chip, type Tone } from '../../parts/chip.tsx'
import { answerText, Pairs } from '../../parts/pairs.tsx'
import { sentence } from '../../parts/sentence.ts'
import { duration } from '../../parts/time-text.ts'
import { asFailure, type Failure } from '../../server/failure.ts'
import { apiUrl, request } from '../../server/request.ts'

const VERDICTS: Readonly<Record<string, readonly [Tone, string, string]>> = {
  confirmed: ['good', 'would confirm', 'A delivery would be confirmed.'],
  rejected: [
    'warn',
    'refuses',
    'A delivery would be refused for good. Some RPs answer so for a session that they do not know.',
  ],
  retried: ['bad', 'would be tried again', 'A delivery would count as failed, and be tried again.'],
}

/** Sends a real logout token that ends nothing, and shows what the RP says. */
export function ClientTestPanel({ client }: { readonly client: string }) {
  const isRunning = useSignal(false)
  const answer = useSignal<ClientTestAnswer | undefined>(undefined)
  const failure = useSignal<Failure | undefined>(undefined)
  const test = async () => {
    isRunning.value = true
    failure.value = undefined
    try {
      answer.value = await request<ClientTestAnswer>(apiUrl('/clients/test'), { method: 'POST', body: { client } })
    } catch (error) {
      failure.value = asFailure(error)
    } finally {
      isRunning.value = false
    }
  }
  return (
    <section class="panel" aria-labelledby="client-test">
      <h2 id="client-test">Test token</h2>
      <p class="hint">Sends a real logout token for a session that nobody has: the RP ends nothing.</p>
      <AllowedButton onPress={() => void test()} refusal={isRunning.value ? 'A test is under way.' : undefined}>
        {isRunning.value ? 'Sending…' : 'Send a test token'}
      </AllowedButton>
      <div class="test-answer" role="status">
        {failure.value && <p class="outcome bad">{sentence(failure.value)}</p>}
        {!failure.value && answer.value && <Answer answer={answer.value} />}
      </div>
    </section>
  )
}

function Answer({ answer }: { readonly answer: ClientTestAnswer }) {
  if (answer.kind === 'not_sent')
    return (
      <p>
        <Chip tone="warn" text="not sent" /> {answer.message}
      </p>
    )
  const [tone, word, meaning] =
    answer.kind === 'failed'
      ? (['bad', 'no answer', answer.error] as const)
      : (VERDICTS[answer.verdict] ?? (['quiet', answer.verdict, ''] as const))
  return (
    <>
      <p>
        <Chip tone={tone} text={word} /> {meaning}
      </p>
      <Pairs
        rows={[
          ['Sent to', <code>{answer.uri}</code>],
          ['Took', duration(answer.tookMs)],
          ...(answer.kind === 'answered'
            ? ([
                ['Status', answer.status],
                ['Answer', answerText(answer.answer)],
              ] as const)
            : []),
        ]}
      />
    </>
  )
}
