import { OptionInvalidError, ResumeUnfitError } from '../errors.ts'
import type { FaultCode } from './fault.ts'

/** Where a run got to, as plain JSON. */
export interface VerifyResume {
  /** Of this form. */
  readonly version: 1
  /** Which log: see `EventStore.logId`. */
  readonly log: string
  readonly deep: boolean
  readonly at: number
  readonly commits: number
  readonly tombstones: number
  readonly byCode: Readonly<Partial<Record<FaultCode, number>>>
  /** Up to this one the keys of accounts were looked at. Absent: none was. */
  readonly accountKeysAfter?: string
}

/**
 * Where a run begins.
 *
 * @throws OptionInvalidError (`OPTION_INVALID`)
 * @throws ResumeUnfitError (`RESUME_UNFIT`)
 */
export function beginningOf(
  { after, resume, deep = false }: { readonly after?: number; readonly resume?: VerifyResume; readonly deep?: boolean },
  log: string,
  end: number,
): VerifyResume {
  if (resume === undefined) {
    const at = after ?? 0
    if (!Number.isSafeInteger(at) || at < 0) throw new OptionInvalidError('after', 'must be a position')
    return { version: 1, log, deep, at, commits: 0, tombstones: 0, byCode: {} }
  }
  if (after !== undefined) throw new OptionInvalidError('after', 'goes with no `resume`, which says where to begin')
  assertResumable(resume, { log, deep, end })
  return resume
}

/** @throws ResumeUnfitError (`RESUME_UNFIT`) */
export function assertResumable(
  resume: VerifyResume,
  { log, deep, end }: { readonly log: string; readonly deep: boolean; readonly end: number },
): void {
  if (Object(resume).version !== 1) throw new ResumeUnfitError('another version of this package has begun it')
  const { at, commits, tombstones, byCode, accountKeysAfter = '' } = Object(resume)
  const counts = [at, commits, tombstones, ...Object.values(Object(byCode))]
  const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0
  if (!counts.every(isCount) || typeof byCode !== 'object' || typeof accountKeysAfter !== 'string')
    throw new ResumeUnfitError('it does not say what a run says of itself')
  if (resume.log !== log) throw new ResumeUnfitError('it was begun on another log')
  if (resume.deep !== deep) throw new ResumeUnfitError(`it was begun ${resume.deep ? 'with' : 'without'} \`deep\``)
  if (resume.at > end)
    throw new ResumeUnfitError(`it has got to position ${resume.at}, and the log ends at ${end}: is its end gone?`)
}
