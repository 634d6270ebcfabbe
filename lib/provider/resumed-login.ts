import { SessionChangedError } from '../errors.ts'
import type { Payload } from './models.ts'
import { newestSignOut, type SignOut } from './sign-outs.ts'
import type { UnitContext } from './unit-context.ts'

/** The login that a request resumes, held against the sign-outs of its account. */
export class ResumedLogin {
  readonly #context: UnitContext
  /** Where the interaction began whose result holds the login. */
  #began: number | undefined

  constructor(context: UnitContext) {
    this.#context = context
  }

  /**
   * The interaction as the provider may go on with it: a login that was typed in before its account was signed out is
   * asked for again.
   *
   * @param began - the position of the interaction's first state
   */
  async resume(payload: Payload, began: number | undefined): Promise<Payload> {
    const accountId = loginOf(payload)
    if (accountId === undefined || began === undefined) return payload
    if (await this.#signOutAbove(began, accountId)) return { ...payload, result: undefined }
    this.#began = began
    return payload
  }

  /**
   * A sign-out looks for the sessions that it ends after it was stored, and a login looks for sign-outs after its session
   * was stored: whichever came second sees the other. A login that sees one ends its session before anything is answered.
   *
   * @param login - what the commit has logged somebody in to
   * @throws SessionChangedError (`SESSION_CHANGED`) when the session was ended
   */
  async endIfSignedOut(login: { readonly uid: string; readonly accountId: string } | undefined): Promise<void> {
    if (!login || this.#began === undefined) return
    this.#context.log.lookAgain()
    const signOut = await this.#signOutAbove(this.#began, login.accountId)
    if (!signOut) return
    await this.#context.endSession(login.uid, signOut.cause)
    throw new SessionChangedError('its account was signed out meanwhile')
  }

  async #signOutAbove(position: number, accountId: string): Promise<SignOut | undefined> {
    const signOut = await newestSignOut(this.#context.log, accountId)
    return signOut && signOut.position > position ? signOut : undefined
  }
}

/** The account of a login whose result an interaction holds. */
export function loginOf({ result }: Payload): string | undefined {
  const { login } = (result ?? {}) as { login?: { accountId?: unknown } }
  return typeof login?.accountId === 'string' ? login.accountId : undefined
}
