import { OptionInvalidError } from '../errors.ts'
import type { Level, OperatorChange, OperatorsState } from '../operators/operators-state.ts'
import { FEATURES, type Feature, type FeatureGates } from './feature-gates.ts'
import {
  actsOn,
  evolve,
  FEATURE,
  type FeatureEventType,
  type FeatureSetting,
  type FeatureSettings,
  isEnabled,
} from './feature-settings.ts'
import { offBetween } from './off-between.ts'

/** Who switches a feature, and for whom. */
export interface FeatureOptions {
  /** `system`: for every issuer of the log. `instance`: for this issuer, whatever holds for the system. */
  readonly level: Level
  /** Who does it: an operator's name, a ticket. Kept in the log. */
  readonly actor: string
}

/** How a feature stands. */
export interface FeatureState {
  readonly feature: Feature
  /** Whether it is on for this issuer. */
  readonly enabled: boolean
  /** Which value that is. */
  readonly from: Level | 'configuration'
  /** What the configuration says, which holds where nobody has set anything. */
  readonly configured: boolean
  /** What was set for every issuer of the log. */
  readonly system?: FeatureSetting
  /** What was set for this issuer. */
  readonly instance?: FeatureSetting
}

/** Feature gates that are set while the processes run. The instance's value wins, then the system's, then the configured one. */
export class Features implements FeatureGates {
  readonly #operators: OperatorsState
  readonly #configured: Readonly<Partial<Record<Feature, boolean>>>
  #acts: readonly OperatorChange[] = []
  #settings: ReadonlyMap<Feature, FeatureSettings> = new Map()

  constructor(operators: OperatorsState, configured: Readonly<Partial<Record<Feature, boolean>>>) {
    this.#operators = operators
    this.#configured = configured
    operators.follow(FEATURE, (acts) => this.#hear(acts))
  }

  isOn(feature: Feature): boolean {
    return isEnabled(this.#settings.get(feature) ?? {}, this.#isConfigured(feature))
  }

  offMs(feature: Feature, from: number, to: number): number {
    return offBetween(actsOn(feature, this.#acts), this.#isConfigured(feature), from, to)
  }

  /**
   * Switches a feature on or off. Resolves when that is stored; it holds in this process then, and in all others within
   * about two seconds.
   *
   * @throws OptionInvalidError (`OPTION_INVALID`); ProviderUnfitError (`PROVIDER_UNFIT`) for `instance` before `start()`;
   *   whatever the store throws
   */
  async set(feature: Feature, enabled: boolean, options: FeatureOptions): Promise<void> {
    assertFeature(feature)
    if (typeof enabled !== 'boolean') throw new OptionInvalidError('enabled', 'must be true or false')
    await this.#record('feature.set', { feature, enabled }, options)
  }

  /**
   * Takes back what was set at a level: the next one holds again.
   *
   * @throws as `set()` does
   */
  async reset(feature: Feature, options: FeatureOptions): Promise<void> {
    assertFeature(feature)
    await this.#record('feature.reset', { feature }, options)
  }

  /** How each feature stands, with what any process had set before the call. */
  async list(): Promise<FeatureState[]> {
    await this.#operators.refresh()
    return FEATURES.map((feature) => {
      const configured = this.#isConfigured(feature)
      const settings = this.#settings.get(feature) ?? {}
      const from = settings.instance ? 'instance' : settings.system ? 'system' : 'configuration'
      return { feature, enabled: isEnabled(settings, configured), from, configured, ...settings }
    })
  }

  #record(type: FeatureEventType, data: OperatorChange['data'], options: FeatureOptions): Promise<void> {
    return this.#operators.record(FEATURE, { level: options?.level, type, data, actor: options?.actor })
  }

  #hear(acts: readonly OperatorChange[]): void {
    this.#settings = new Map(FEATURES.map((feature) => [feature, actsOn(feature, acts).reduce(evolve, {})]))
    this.#acts = acts
  }

  #isConfigured(feature: Feature): boolean {
    return this.#configured[feature] ?? false
  }
}

function assertFeature(feature: Feature): void {
  if (!FEATURES.includes(feature)) throw new OptionInvalidError('feature', `must be one of ${FEATURES.join(', ')}`)
}
