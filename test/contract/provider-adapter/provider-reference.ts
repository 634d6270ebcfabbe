import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import fc from 'fast-check'
import type { Payload, ProviderAdapter } from '../../../lib/index.ts'
import { type Caller, type Capabilities, forEachCaller, type MakeLog } from './adapter-under-test.ts'
import { revokeAll } from './grants.ts'
import { GRANTABLES, newId, sample } from './samples.ts'

/** Models of all kinds: with ids that the provider makes, with ids that applications choose, and one of an application's own. */
const COMPARED = [
  'AccessToken',
  'RefreshToken',
  'AuthorizationCode',
  'Interaction',
  'Grant',
  'Client',
  'Thing',
] as const

type Call =
  | { readonly kind: 'upsert' | 'find' | 'consume' | 'destroy'; readonly model: string; readonly id: string }
  | { readonly kind: 'revoke'; readonly grantId: string }

const call: fc.Arbitrary<Call> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constantFrom('upsert', 'upsert', 'find', 'consume', 'destroy'),
      model: fc.constantFrom(...COMPARED),
      id: fc.constantFrom('one', 'two'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('revoke'), grantId: fc.constantFrom('one', 'two') }) },
)

/** oidc-provider's own adapter says what comes back, whatever is done one after the other. */
export function providerReferenceContract(makeLog: MakeLog, { propertyRuns }: Capabilities): void {
  forEachCaller('any calls, one after the other', makeLog, (caller) => {
    it('are answered as by oidc-provider’s own adapter', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(call, { maxLength: 40 }), async (calls) => {
          const reference = await Reference.make()
          const space = newId()
          for (const [index, one] of calls.entries()) {
            const mine = 'id' in one ? { ...one, id: space + one.id } : { ...one, grantId: space + one.grantId }
            await both(caller, reference, mine, index, space)
          }
        }),
        { numRuns: propertyRuns },
      )
    })
  })
}

async function both(caller: Caller, reference: Reference, one: Call, n: number, space: string): Promise<void> {
  if (one.kind === 'revoke') {
    await reference.revoke(one.grantId)
    await caller.run((adapter) => revokeAll(adapter, one.grantId))
    return
  }
  const { kind, model, id } = one
  const before = await reference.find(model, id)
  if (kind === 'consume' && (before === undefined || before['consumed'] !== undefined)) return // refused here: used once
  if (kind === 'upsert') {
    const grantId = space + (n % 2 === 0 ? 'one' : 'two')
    const payload = { ...sample('AccessToken', id), kind: model, n, ...(isGrantable(model) && { grantId }) }
    await reference.upsert(model, id, payload)
    // As the provider does: it looks before it stores what is not new.
    await caller.run(async (adapter) => {
      await adapter(model).find(id)
      await adapter(model).upsert(id, payload, 60)
    })
  } else if (kind === 'consume') {
    await reference.consume(model, id)
    await caller.run((adapter) => adapter(model).consume(id))
  } else if (kind === 'destroy') {
    await reference.destroy(model, id)
    await caller.run((adapter) => adapter(model).destroy(id))
  }
  for (const each of COMPARED) {
    for (const other of ['one', 'two']) {
      const [found, wanted] = await Promise.all([
        caller.run((adapter) => adapter(each).find(space + other)),
        reference.find(each, space + other),
      ])
      assert.deepEqual(timeless(found), timeless(wanted), `${each} ${other} after ${kind} of ${model}`)
    }
  }
}

/** Both note the second of a use, each by itself: one second may end between the two. `models.ts` tests which it is. */
function timeless(payload: Payload | undefined): Payload | undefined {
  return payload?.['consumed'] === undefined ? payload : { ...payload, consumed: typeof payload['consumed'] }
}

function isGrantable(model: string): boolean {
  return (GRANTABLES as readonly string[]).includes(model)
}

/** oidc-provider's own adapter, and two things that are stricter here: what was used stays used, tokens end with their grant. */
class Reference {
  readonly #adapters = new Map<string, ProviderAdapter>()
  readonly #make: (model: string) => ProviderAdapter
  /** When what was revoked had been used: it is used still when it is stored again. */
  readonly #usedBefore = new Map<string, unknown>()
  /** What was issued under each grant. */
  readonly #issued = new Map<string, Set<string>>()

  private constructor(make: (model: string) => ProviderAdapter) {
    this.#make = make
  }

  static async make(): Promise<Reference> {
    const provider = createRequire(import.meta.url).resolve('oidc-provider')
    const url = pathToFileURL(join(dirname(provider), 'adapters', 'memory_adapter.js')).href
    const { createMemoryAdapter } = (await import(url)) as {
      createMemoryAdapter(): (model: string) => ProviderAdapter
    }
    return new Reference(createMemoryAdapter())
  }

  async find(model: string, id: string): Promise<Payload | undefined> {
    return structuredClone(await this.#of(model).find(id))
  }

  async upsert(model: string, id: string, payload: Payload): Promise<void> {
    const before = await this.find(model, id)
    const consumed = before ? before['consumed'] : this.#usedBefore.get(`${model} ${id}`)
    const used = consumed === undefined ? payload : { ...payload, consumed }
    await this.#of(model).upsert(id, structuredClone(used), 60)
    if (isGrantable(model)) this.#issuedUnder(String(payload['grantId'])).add(`${model} ${id}`)
  }

  async consume(model: string, id: string): Promise<void> {
    await this.#of(model).consume(id)
  }

  async destroy(model: string, id: string): Promise<void> {
    await this.#of(model).destroy(id)
    this.#usedBefore.delete(`${model} ${id}`)
    if (model === 'Grant') await this.revoke(id)
  }

  async revoke(grantId: string): Promise<void> {
    for (const issued of this.#issuedUnder(grantId)) {
      const [model = '', id = ''] = issued.split(' ')
      const found = await this.find(model, id)
      if (found?.['grantId'] !== grantId) continue
      await this.#of(model).destroy(id)
      this.#usedBefore.set(issued, found['consumed'])
    }
    this.#issued.delete(grantId)
  }

  #issuedUnder(grantId: string): Set<string> {
    const issued = this.#issued.get(grantId) ?? new Set()
    this.#issued.set(grantId, issued)
    return issued
  }

  #of(model: string): ProviderAdapter {
    const adapter = this.#adapters.get(model) ?? this.#make(model)
    this.#adapters.set(model, adapter)
    return adapter
  }
}
