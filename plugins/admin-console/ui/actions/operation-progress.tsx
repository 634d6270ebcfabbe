import type { Operation } from '../../api/contract.ts'
import { counted, number } from '../parts/words.ts'

/** How far an operation is: a bar where the end is known, and the counts. */
export function OperationProgress({
  operation,
  isCancelling = false,
  isUnheard = false,
}: {
  readonly operation: Operation
  readonly isCancelling?: boolean
  readonly isUnheard?: boolean
}) {
  const { done, of } = operation.progress
  return (
    <div class="progress">
      {of === undefined ? (
        <progress aria-label={titleOf(operation)} />
      ) : (
        <progress aria-label={titleOf(operation)} max={Math.max(of, 1)} value={done} />
      )}
      <p>
        {isCancelling ? 'Cancelling… ' : ''}
        {number(done)}
        {of === undefined ? ' done' : ` of ${number(of)} done`}
        {tallyText(operation)}
      </p>
      {isUnheard && <p class="hint">How far it is cannot be asked now. It goes on.</p>}
      {operation.cancelling === 'leaves' && (
        <p class="hint">
          It is ordered, and cannot be called back: some process carries it out, whatever becomes of this page.
        </p>
      )}
    </div>
  )
}

/** What an operation is, in a few words. */
export function titleOf({ kind, dryRun }: Operation): string {
  const what = {
    terminate: 'Ending sessions',
    replay: 'Sending dead letters again',
    retry_client: 'Trying an RP now',
    retry_parked: 'Planning parked commits',
  }
  return `${what[kind] ?? kind}${dryRun ? ' (dry run)' : ''}`
}

function tallyText({ progress: { sessions, logins, grants } }: Operation): string {
  if (sessions === undefined) return ''
  const parts = [counted(sessions, 'session'), counted(logins ?? 0, 'login'), counted(grants ?? 0, 'grant')]
  return `: ${parts.join(', ')}`
}
