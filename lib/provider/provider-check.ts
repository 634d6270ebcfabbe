import { ProviderUnfitError } from '../errors.ts'
import { MODELS } from './models.ts'
import type { ProviderAdapter, ProviderLike } from './provider-like.ts'

/**
 * Refuses a provider whose requests would not be what the log promises, before anything is changed.
 *
 * @param isOurs - whether `eventSourced()` has made this adapter, or was given it as an option
 * @throws ProviderUnfitError (`PROVIDER_UNFIT`)
 */
export function assertProvider(provider: ProviderLike, isOurs: (adapter: object) => boolean): void {
  if (
    typeof provider?.use !== 'function' ||
    typeof provider.issuer !== 'string' ||
    typeof provider.Session !== 'function' ||
    provider.Client?.adapter === undefined
  ) {
    throw new ProviderUnfitError(
      "start() needs the provider: call start(provider), with an instance of oidc-provider's Provider",
    )
  }
  const elsewhere = modelsElsewhere(provider, isOurs)
  if (elsewhere.length > 0) throw new ProviderUnfitError(elsewhereMessage(elsewhere))
  if (isServing(provider)) {
    throw new ProviderUnfitError(
      'start() came after callback() or listen(), which have taken the middleware as it was: call start() first',
    )
  }
}

/** Without `configure()` the provider would keep its state in memory, without any sign of it. */
function modelsElsewhere(provider: ProviderLike, isOurs: (adapter: object) => boolean): string[] {
  const models = provider as unknown as Readonly<Record<string, { readonly adapter?: ProviderAdapter } | undefined>>
  return MODELS.filter((model) => {
    const adapter = models[model]?.adapter
    return adapter !== undefined && !isOurs(adapter)
  })
}

function elsewhereMessage(models: readonly string[]): string {
  if (models.length === MODELS.length)
    return (
      'this provider does not keep its state in the log: make it with what configure() returns, ' +
      'new Provider(issuer, op.configure(configuration))'
    )
  return (
    `${models.join(', ')} of this provider ${models.length > 1 ? 'have other adapters' : 'has another adapter'} than ` +
    'configure() sets: leave `adapter` as it sets it; a model that you keep in a table of your own is named in ' +
    'eventSourced(store, { adapters: { Client: (model) => yourAdapter } })'
  )
}

/**
 * Whether `callback()` or `listen()` was called: Koa composes the middleware there, and listens to its own errors unless
 * somebody else does. Where somebody does, and where koa-mount composes it, the first request that writes tells.
 */
function isServing(provider: ProviderLike): boolean {
  const { listeners, onerror } = provider as { listeners?: (event: string) => unknown[]; onerror?: unknown }
  return typeof listeners === 'function' && onerror !== undefined && listeners.call(provider, 'error').includes(onerror)
}
