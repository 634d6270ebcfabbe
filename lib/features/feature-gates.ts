/** What can be switched. */
export type Feature = 'back_channel_logout' | 'single_session_termination'

export const FEATURES: readonly Feature[] = ['back_channel_logout', 'single_session_termination']

/**
 * Which features are on. Whoever depends on one asks at each use: gates may change while the process runs.
 */
export interface FeatureGates {
  isOn(feature: Feature): boolean

  /**
   * How much of a stretch of time the feature was off, in milliseconds: what waited for it was not late by so much. The
   * configured default counts as it is now, since the log does not hold what it was.
   *
   * @param from - milliseconds since 1970
   * @param to - milliseconds since 1970
   */
  offMs(feature: Feature, from: number, to: number): number
}
