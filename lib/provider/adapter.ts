import { ConcurrencyError } from '../errors.ts'
import { UnitClosed } from './model-writes.ts'
import type { Payload } from './models.ts'
import type { ProviderAdapter } from './provider-like.ts'
import type { UnitOfWork } from './unit-of-work.ts'

/** Where an adapter's calls go: the unit of work of the request, or one of their own. */
export interface UnitSource {
  /** The open unit of the request this runs in, if its writes may be staged. */
  staging(): UnitOfWork | undefined
  /** The open unit of the request this runs in. */
  reading(): UnitOfWork | undefined
  /** Runs what happens outside a request: one call, one commit. */
  autocommit<T>(work: (unit: UnitOfWork) => Promise<T>, write?: AutocommitWrite): Promise<T>
  /** Called with every failure: a request that could not read must not be answered as if there was nothing. */
  failed(error: unknown): void
}

/** What a call outside a request writes. */
export interface AutocommitWrite {
  readonly model: string
  /** Absent for a revocation. */
  readonly id?: string
  /** What is stored. Absent where nothing is. */
  readonly payload?: Payload
}

/**
 * oidc-provider's adapter on the log: one for each model. Inside a request of a started provider its writes are staged,
 * elsewhere each is a commit of its own.
 */
export class ModelAdapter implements ProviderAdapter {
  readonly #model: string
  readonly #units: UnitSource

  constructor(model: string, units: UnitSource) {
    this.#model = model
    this.#units = units
  }

  /** The stored payload, expired ones too: the provider judges expiry itself. */
  find(id: string): Promise<Payload | undefined> {
    return this.#read((unit) => unit.find(this.#model, id))
  }

  findByUid(uid: string): Promise<Payload | undefined> {
    return this.#read((unit) => unit.findSession(uid))
  }

  findByUserCode(userCode: string): Promise<Payload | undefined> {
    return this.#read((unit) => unit.findDeviceCode(userCode))
  }

  /** @param _expiresIn - not used: the payload has its expiry, and the log has its own retention */
  upsert(id: string, payload: Payload, _expiresIn?: number): Promise<void> {
    return this.#write((unit) => unit.upsert(this.#model, id, payload), { id, payload })
  }

  /**
   * Stores a client in a commit of its own, if the stored state is still the one that was read: no commit of another process
   * can come between.
   *
   * @param before - what `find` returned
   * @returns false: it is another one by now, or gone; nothing was stored
   */
  async replace(id: string, before: Payload, payload: Payload): Promise<boolean> {
    const work = (unit: UnitOfWork): Promise<boolean> => unit.replace(this.#model, id, before, payload)
    try {
      return await this.#watched(this.#units.autocommit(work, { model: this.#model, id, payload }))
    } catch (error) {
      if (error instanceof ConcurrencyError) return false
      throw error
    }
  }

  /** Marks it as used. Only one commit ever can, whatever the concurrency. */
  consume(id: string): Promise<void> {
    return this.#write((unit) => unit.consume(this.#model, id), { id })
  }

  destroy(id: string): Promise<void> {
    return this.#write((unit) => unit.destroy(this.#model, id), { id })
  }

  /** Revokes what this model has under the grant. The Grant itself is destroyed by a call of its own. */
  revokeByGrantId(grantId: string): Promise<void> {
    return this.#write((unit) => unit.revokeGranted(this.#model, grantId))
  }

  #read<T>(work: (unit: UnitOfWork) => Promise<T>): Promise<T> {
    const unit = this.#units.reading()
    return this.#watched(unit ? work(unit) : this.#units.autocommit(work))
  }

  async #write(work: (unit: UnitOfWork) => Promise<void>, what: Omit<AutocommitWrite, 'model'> = {}): Promise<void> {
    const unit = this.#units.staging()
    if (unit && (await this.#watched(isStaged(work(unit))))) return
    await this.#watched(this.#units.autocommit(work, { model: this.#model, ...what }))
    this.#units.reading()?.forget(this.#model)
  }

  async #watched<T>(call: Promise<T>): Promise<T> {
    try {
      return await call
    } catch (error) {
      this.#units.failed(error)
      throw error
    }
  }
}

/** False: the unit had begun to commit, so the write must be a commit of its own. */
async function isStaged(staging: Promise<void>): Promise<boolean> {
  try {
    await staging
    return true
  } catch (error) {
    if (error instanceof UnitClosed) return false
    throw error
  }
}
