import { useEffect } from 'preact/hooks'
import type { Operation, OperationsAnswer } from '../../../api/contract.ts'
import { OperationProgress, titleOf } from '../../actions/operation-progress.tsx'
import { AllowedButton } from '../../parts/allowed-button.tsx'
import { toast } from '../../parts/toast.ts'
import { asFailure } from '../../server/failure.ts'
import { cancelOperation, learnOperation, operations } from '../../server/operations.ts'
import { apiUrl } from '../../server/request.ts'
import { useResource } from '../../server/resource.ts'

/** What this process of the server is at, with a button that stops it. */
export function RunningOperations() {
  const { state } = useResource<OperationsAnswer>(apiUrl('/operations'), ['terminations'])
  const { value } = state.value
  useEffect(() => {
    for (const operation of [...(value?.operations ?? [])].reverse()) learnOperation(operation)
  }, [value])
  const running = [...operations.value.values()].filter((operation) => operation.state === 'running')
  if (running.length === 0) return null
  return (
    <section aria-labelledby="running">
      <h2 id="running">Running now</h2>
      {running.map((operation) => (
        <div key={operation.id} class="panel running">
          <h3>
            {titleOf(operation)} <span class="hint">by {operation.actor}</span>
          </h3>
          <OperationProgress operation={operation} />
          <AllowedButton
            small
            tone="danger"
            label={`${isLeft(operation) ? 'Wait no longer' : 'Cancel'}: ${titleOf(operation)}`}
            onPress={() => void cancel(operation.id)}
          >
            {isLeft(operation) ? 'Wait no longer' : 'Cancel it'}
          </AllowedButton>
        </div>
      ))}
    </section>
  )
}

/** It is ordered: others carry it out, and only the waiting ends. */
function isLeft({ cancelling }: Operation): boolean {
  return cancelling === 'leaves'
}

async function cancel(id: string): Promise<void> {
  try {
    await cancelOperation(id)
  } catch (error) {
    toast(asFailure(error).message, 'bad')
  }
}
