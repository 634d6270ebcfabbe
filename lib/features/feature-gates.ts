/** What can be switched. */
export type Feature = 'back_channel_logout' | 'single_session_termination'

/**
 * Which features are on. Whoever depends on one asks at each use: gates may change while the process runs.
 */
export interface FeatureGates {
  isOn(feature: Feature): boolean
}

/** Gates as the configuration sets them. */
export function configuredGates(features: Readonly<Partial<Record<Feature, boolean>>>): FeatureGates {
  return { isOn: (feature) => features[feature] ?? false }
}
