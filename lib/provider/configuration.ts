import type { Configuration } from 'oidc-provider'

/** oidc-provider's `Configuration`, without the member that `configure()` sets. */
export type ConfigurationWithoutAdapter = Omit<Configuration, 'adapter'>

export type { Configuration }
