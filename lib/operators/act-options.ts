import { OptionInvalidError } from '../errors.ts'
import type { Level } from './operators-state.ts'

const LEVELS: readonly Level[] = ['system', 'instance']

/**
 * Checks who acts: whoever reads the log later must be able to ask somebody.
 *
 * @throws OptionInvalidError (`OPTION_INVALID`)
 */
export function assertActor(options: { readonly actor: string }, known: readonly string[] = ['actor']): void {
  for (const option of Object.keys(options ?? {})) {
    if (!known.includes(option)) throw new OptionInvalidError(option, `is not known; known are ${known.join(', ')}`)
  }
  if (typeof options?.actor !== 'string' || options.actor.trim() === '')
    throw new OptionInvalidError('actor', 'must be text: who does this')
}

/**
 * Checks who acts, and at which level.
 *
 * @throws OptionInvalidError (`OPTION_INVALID`)
 */
export function assertAct(options: { readonly level: Level; readonly actor: string }): void {
  assertActor(options, ['level', 'actor'])
  if (!LEVELS.includes(options.level)) throw new OptionInvalidError('level', `must be one of ${LEVELS.join(', ')}`)
}
