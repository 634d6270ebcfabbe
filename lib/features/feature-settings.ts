import { EventTypeUnknownError } from '../errors.ts'
import type { Level, OperatorChange } from '../operators/operators-state.ts'
import type { Feature } from './feature-gates.ts'

/** The kind of operators' state that gates are: the streams are `feature:system` and `feature:instance:<issuer>`. */
export const FEATURE = 'feature'

/** The facts of it. */
export type FeatureEventType = 'feature.set' | 'feature.reset'

/** A value that somebody set. */
export interface FeatureSetting {
  readonly enabled: boolean
  readonly actor: string
  /** When it was recorded, milliseconds since 1970. */
  readonly at: number
}

/** A feature's value at each level; absent where nobody has set one, or it was reset. */
export type FeatureSettings = Readonly<Partial<Record<Level, FeatureSetting>>>

/** The acts that are about one feature. A newer version may know more features: they are none of this one's. */
export function actsOn(feature: Feature, acts: readonly OperatorChange[]): OperatorChange[] {
  return acts.filter(({ data }) => data['feature'] === feature)
}

/**
 * One act further.
 *
 * @throws EventTypeUnknownError (`EVENT_TYPE_UNKNOWN`)
 */
export function evolve(settings: FeatureSettings, { level, type, data, actor, at }: OperatorChange): FeatureSettings {
  switch (type as FeatureEventType) {
    case 'feature.set':
      return { ...settings, [level]: { enabled: data['enabled'] === true, actor, at } }
    case 'feature.reset': {
      const { [level]: _reset, ...others } = settings
      return others
    }
    default:
      throw new EventTypeUnknownError(`${FEATURE}:${level}`, type)
  }
}

/** The value that holds: the instance's, else the system's, else the configured one. */
export function isEnabled({ instance, system }: FeatureSettings, configured: boolean): boolean {
  return (instance ?? system)?.enabled ?? configured
}
