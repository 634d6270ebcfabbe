import { type ReadonlySignal, signal } from '@preact/signals'
import type { Me } from '../../api/contract.ts'
import { after } from '../browser/clock.ts'
import { asFailure, type Failure } from '../server/failure.ts'
import { apiUrl, request } from '../server/request.ts'

/** How long until the server is asked again who is signed in, where it could not say, in milliseconds. */
const AGAIN_MS = 5_000

const who = signal<Me | undefined>(undefined)
const why = signal<Failure | undefined>(undefined)

/** Who is signed in; undefined until the server has said. */
export const me: ReadonlySignal<Me | undefined> = who

/** Why it is not known who is signed in. */
export const meFailure: ReadonlySignal<Failure | undefined> = why

export async function startMe(): Promise<void> {
  try {
    who.value = await request<Me>(apiUrl('/me'))
    why.value = undefined
  } catch (error) {
    why.value = asFailure(error)
    if (why.value.kind !== 'forbidden' && why.value.kind !== 'signedOut') after(AGAIN_MS, () => void startMe())
  }
}

/** Why this operator may not change anything; undefined: he may. */
export function refusalOfChanges(): string | undefined {
  const role = who.value?.role
  if (role === 'operator') return undefined
  return role === 'viewer'
    ? 'You are signed in as a viewer: operators can do this.'
    : 'It is not known yet who is signed in.'
}
