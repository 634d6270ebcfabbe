import type { ComponentChildren } from 'preact'
import type { LiveTopic } from '../../api/contract.ts'
import { useResource } from '../server/resource.ts'
import { Failing, Loading, Outdated } from './states.tsx'

interface ResourceViewProps<T> {
  readonly url: string
  readonly topics: readonly (LiveTopic | 'log')[]
  /** What is asked for, for screen readers. */
  readonly what: string
  readonly refreshMs?: number
  /** Stands first, whether it is there or not. */
  readonly head: (value: T | undefined, reload: () => void) => ComponentChildren
  readonly children: (value: T, reload: () => void) => ComponentChildren
}

/** What the server says under a URL, kept up to date; and why it cannot be had, where it cannot. */
export function ResourceView<T>({ url, topics, what, refreshMs, head, children }: ResourceViewProps<T>) {
  const { state, reload } = useResource<T>(url, topics, refreshMs)
  const { value, failure } = state.value
  const Failed = value === undefined ? Failing : Outdated
  return (
    <>
      {head(value, reload)}
      {failure && <Failed failure={failure} retry={reload} />}
      {value === undefined ? !failure && <Loading what={what} /> : children(value, reload)}
    </>
  )
}
