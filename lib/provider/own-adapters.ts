import { OptionInvalidError } from '../errors.ts'
import { mustBeOnTheLog, type Payload } from './models.ts'

/**
 * What oidc-provider asks of an adapter of your own. Of `Client` it reads alone, unless clients register themselves:
 * `find` is enough there.
 */
export interface OwnAdapter {
  find(id: string): Promise<unknown>
  upsert?(id: string, payload: Payload, expiresIn?: number): Promise<unknown>
  findByUid?(uid: string): Promise<unknown>
  findByUserCode?(userCode: string): Promise<unknown>
  consume?(id: string): Promise<unknown>
  destroy?(id: string): Promise<unknown>
  revokeByGrantId?(grantId: string): Promise<unknown>
}

/** Makes the adapter of a model: a function or a class, as oidc-provider's `adapter` option takes either. */
export type OwnAdapterFactory = ((model: string) => OwnAdapter) | (new (model: string) => OwnAdapter)

/** Adapters of your own, by the model that they serve: each a function or a class that makes the adapter. */
export type OwnAdapters = Readonly<Record<string, OwnAdapterFactory>>

/** @throws OptionInvalidError (`OPTION_INVALID`) */
export function assertOwnAdapters(adapters: unknown): void {
  if (adapters === undefined) return
  if (typeof adapters !== 'object' || adapters === null || Array.isArray(adapters))
    throw new OptionInvalidError('adapters', 'must be an object: { Client: (model) => adapter }')
  for (const [model, make] of Object.entries(adapters)) {
    if (mustBeOnTheLog(model)) {
      throw new OptionInvalidError(
        `adapters.${model}`,
        `must be left out: a request of the provider is one commit, and a ${model} that is stored elsewhere would be ` +
          'stored although that commit failed. Client, InitialAccessToken, RegistrationAccessToken and models of your ' +
          'own may be elsewhere',
      )
    }
    if (typeof make !== 'function')
      throw new OptionInvalidError(
        `adapters.${model}`,
        'must be a function or a class that makes the adapter: (model) => adapter',
      )
  }
}

/**
 * The adapter that serves a model instead of the log. Undefined: the log does.
 *
 * @throws OptionInvalidError (`OPTION_INVALID`) when what is made is no adapter
 */
export function ownAdapter(adapters: OwnAdapters, model: string): OwnAdapter | undefined {
  if (!Object.hasOwn(adapters, model)) return undefined
  const factory = adapters[model]
  const made = factory && (isConstructor(factory) ? new factory(model) : factory(model))
  if (typeof made?.find !== 'function')
    throw new OptionInvalidError(`adapters.${model}`, 'must make an adapter: an object with `find`, at least')
  return made
}

/** Arrow functions have no prototype. Any other function may be called with `new`: what it returns is the result. */
function isConstructor(factory: OwnAdapterFactory): factory is new (model: string) => OwnAdapter {
  return factory.prototype !== undefined
}
