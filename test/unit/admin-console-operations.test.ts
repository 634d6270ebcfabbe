import assert from 'node:assert/strict'
import { silent, TerminationUnfinishedError } from '../../lib/index.ts'
import { WebError } from '../../lib/web/web-error.ts'
import type { Operation, OperationAnswer } from '../../plugins/admin-console/api/contract.ts'
import { startTermination } from '../../plugins/admin-console/api/operations.ts'
import type { Call } from '../../plugins/admin-console/api/route.ts'
import {
  type NewOperation,
  type OperationControl,
  Operations,
} from '../../plugins/admin-console/operations/operations.ts'
import { retryClient } from '../../plugins/admin-console/operations/retry-client.ts'
import type { BackChannelLogout } from '../../plugins/back-channel-logout/index.ts'
import { FakeClock } from '../support/fake-clock.ts'

describe('operations of a process', () => {
  let told: Operation[]
  let operations: Operations
  let clock: FakeClock

  beforeEach(() => {
    told = []
    clock = new FakeClock()
    operations = new Operations({
      clock,
      logger: silent,
      onChange: (operation) => told.push(operation),
    })
  })
  afterEach(() => operations.close())

  const start = (run: NewOperation['run']): Operation =>
    operations.start({ kind: 'terminate', dryRun: false, request: { target: { all: true } }, actor: 'olga', run })
  const untilAborted = ({ signal }: OperationControl): Promise<never> =>
    new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  const over = async (id: string): Promise<Operation> => {
    while (operations.find(id).state === 'running') await new Promise((resolve) => setImmediate(resolve))
    return operations.find(id)
  }

  it('tell how far they are, and what they came to', async () => {
    const { id, state } = start(async ({ progress }) => {
      progress({ done: 1, of: 2 })
      return { replayed: 2 }
    })
    assert.equal(state, 'running')
    const done = await over(id)
    assert.deepEqual([done.state, done.result, done.cancelling], ['completed', { replayed: 2 }, undefined])
    assert.deepEqual(
      told.map(({ state, progress }) => [state, progress.done]),
      [
        ['running', 1],
        ['completed', 1],
      ],
    )
  })

  it('are cancelled, unless they are ordered: those go on elsewhere, and are left', async () => {
    const one = start(untilAborted)
    assert.equal(operations.find(one.id).cancelling, 'stops')
    operations.cancel(one.id)
    assert.equal((await over(one.id)).state, 'cancelled')
    const other = start((control) => {
      control.ordered('termination-1')
      return untilAborted(control)
    })
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(operations.find(other.id).cancelling, 'leaves')
    operations.cancel(other.id)
    const left = await over(other.id)
    assert.deepEqual([left.state, left.termination], ['left', 'termination-1'])
    assert.equal(operations.cancel(other.id).state, 'left') // it is over already
  })

  it('make due what waits for an RP: told page by page, and cancelled between two', async () => {
    const pages: (() => void)[] = []
    const retry: BackChannelLogout['retry'] = async (target, { signal, onProgress } = {}) => {
      assert.deepEqual(target, { client: 'shop' })
      let hastened = 0
      while (!signal?.aborted && hastened < 3_000) {
        await new Promise<void>((resolve) => pages.push(resolve))
        hastened += 1_000
        onProgress?.({ hastened })
      }
      return { hastened }
    }
    const page = async (): Promise<void> => {
      while (pages.length === 0) await new Promise((resolve) => setImmediate(resolve))
      pages.shift()?.()
    }
    const start = () => operations.start(retryClient({ retry } as BackChannelLogout, { client: 'shop' }, 'olga')).id
    const whole = start()
    for (let n = 0; n < 3; n++) await page()
    const { state, result, actor } = await over(whole)
    assert.deepEqual([state, result, actor], ['completed', { hastened: 3_000 }, 'olga'])
    assert.deepEqual(
      told.map(({ progress }) => progress.done),
      [1_000, 2_000, 3_000, 3_000],
    )
    const cut = start()
    await page()
    while (operations.find(cut).progress.done === 0) await new Promise((resolve) => setImmediate(resolve))
    operations.cancel(cut)
    await page()
    const cancelled = await over(cut)
    assert.deepEqual([cancelled.state, cancelled.progress.done, cancelled.result], ['cancelled', 2_000, undefined])
  })

  it('are left where this process stops while others go on', async () => {
    const { id } = start(async ({ ordered }) => {
      ordered('termination-2')
      throw new TerminationUnfinishedError('termination-2')
    })
    assert.equal((await over(id)).state, 'left')
  })

  it('tell an error that is the operator’s to know, and hide one that nobody foresaw', async () => {
    const known = start(() => Promise.reject(new WebError(409, 'NOT_A_DEAD_LETTER', 'it is none')))
    assert.deepEqual((await over(known.id)).error, { code: 'NOT_A_DEAD_LETTER', message: 'it is none' })
    const unforeseen = start(() => Promise.reject(new Error('secret')))
    assert.equal((await over(unforeseen.id)).error?.code, 'FAILED')
    assert.ok(!JSON.stringify(operations.find(unforeseen.id)).includes('secret'))
  })

  it('run eight at a time, and are remembered a hundred at most', async () => {
    for (let n = 0; n < 8; n++) start(untilAborted)
    assert.throws(
      () => start(untilAborted),
      (error) => error instanceof WebError && error.status === 429,
    )
    for (const { id } of operations.list()) operations.cancel(id)
    for (const { id } of operations.list()) await over(id)
    for (let n = 0; n < 200; n++) await over(start(async () => ({ replayed: n })).id)
    assert.ok(operations.list().length <= 101)
  })

  it('have their places beside orders that others carry out, of which the oldest are left where there are many', async () => {
    const order = () =>
      start((control) => {
        control.ordered('termination')
        return untilAborted(control)
      })
    const orders = Array.from({ length: 32 }, order)
    const others = Array.from({ length: 8 }, () => start(untilAborted))
    assert.throws(
      () => order(),
      (error) => error instanceof WebError && error.code === 'TOO_MANY_OPERATIONS',
    )
    operations.cancel(others[0]?.id ?? '')
    await over(others[0]?.id ?? '')
    assert.ok(orders.every(({ id }) => operations.find(id).state === 'running'))
    order()
    assert.equal((await over(orders[0]?.id ?? '')).state, 'left')
    assert.ok(orders.slice(1).every(({ id }) => operations.find(id).state === 'running'))
  })

  const { signal: waiting } = new AbortController()

  it('are answered when they are over, where a dry run is so within two seconds', async () => {
    const ends: (() => void)[] = []
    const report = { sessions: 3, logins: 2, grants: 1, failed: 0 }
    const logout = {
      terminateAll: ({ signal }: { readonly signal: AbortSignal }) =>
        new Promise((resolve, reject) => {
          ends.push(() => resolve(report))
          signal.addEventListener('abort', () => reject(signal.reason))
        }),
    }
    const ask = (dryRun: boolean, signal: AbortSignal = waiting) => {
      const fields = { target: { all: true }, dryRun }
      const call = { operations, logout, fields, operator: { name: 'olga', role: 'operator' }, process: 'p', signal }
      return Promise.resolve(startTermination.handle(call as unknown as Call)) as Promise<{ body: OperationAnswer }>
    }
    const soon = ask(true)
    await clock.advance(1_999)
    ends.shift()?.()
    const { operation } = (await soon).body
    assert.deepEqual([operation.state, operation.result], ['completed', report])
    assert.equal(clock.pending, 0, 'nothing waits any more')
    const late = ask(true)
    await clock.advance(2_000)
    assert.equal((await late).body.operation.state, 'running')
    assert.equal((await ask(false)).body.operation.state, 'running', 'what ends something is answered at once')
    const left = new AbortController()
    const nobodys = ask(true, left.signal)
    left.abort()
    const { id } = (await nobodys).body.operation
    assert.equal((await over(id)).state, 'cancelled', 'nobody could cancel it later')
    assert.equal(clock.pending, 0)
  })

  it('are unknown to another process, and to one that has started anew', () => {
    assert.throws(() => operations.find('x'), /OPERATION_UNKNOWN|does not know/)
  })

  it('start no more once the console is closed, which cancels them', async () => {
    const { id } = start(untilAborted)
    operations.close()
    assert.equal((await over(id)).state, 'cancelled')
    assert.throws(
      () => start(untilAborted),
      (error) => error instanceof WebError && error.code === 'STOPPING',
    )
  })
})
