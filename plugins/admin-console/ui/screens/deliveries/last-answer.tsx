import { TwoLines } from '../../parts/two-lines.tsx'

interface LastAnswerProps {
  readonly status?: number
  readonly error?: string
  readonly answer?: string
}

/** What an RP said last, or why it said nothing. */
export function LastAnswer({ status, error, answer }: LastAnswerProps) {
  if (status === undefined && error === undefined) return '–'
  return (
    <TwoLines
      main={status === undefined ? 'no answer' : `status ${status}`}
      sub={<span class="clamped">{error ?? answer}</span>}
    />
  )
}
