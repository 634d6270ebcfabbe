import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { Consumer, consoleLogger, eventSourced, StoreUnavailableError } from '../../lib/index.ts'

/** What is printed while something runs. */
async function printedBy(work: () => unknown): Promise<{ readonly method: string; readonly line: string }[]> {
  const printed: { method: string; line: string }[] = []
  const before = { ...console }
  for (const method of ['debug', 'info', 'log', 'warn', 'error'] as const)
    console[method] = (...args: unknown[]) => printed.push({ method, line: args.join(' ') })
  try {
    await work()
  } finally {
    Object.assign(console, before)
  }
  return printed
}

describe('the logger where none is given', () => {
  it('prints warnings and errors, one line each, with their event, and nothing else', async () => {
    const printed = await printedBy(() => {
      consoleLogger.debug({ event: 'a' }, 'a detail')
      consoleLogger.info({ event: 'b' }, 'good to know')
      consoleLogger.warn({ event: 'client_not_told', client_id: 'shop\nERROR' }, 'a client is\nnot told')
      consoleLogger.error({}, 'no event')
    })
    assert.deepEqual(printed, [
      {
        method: 'warn',
        line: 'oidc-provider-eventstore WARN client_not_told: a client is not told {"client_id":"shop\\nERROR"}',
      },
      { method: 'error', line: 'oidc-provider-eventstore ERROR: no event' },
    ])
  })

  it('prints nothing that a terminal could take for a command', async () => {
    const [printed] = await printedBy(() =>
      consoleLogger.warn({ event: 'odd', answer: '\u009b2J\u001b[2J\u202e' }, '\u009b2J'),
    )
    assert.equal(printed?.line, 'oidc-provider-eventstore WARN odd:  2J {"answer":"\\u009b2J\\u001b[2J\\u202e"}')
  })

  it('prints an error with its code, its stack and what lies beneath, in the same line', async () => {
    const err = new StoreUnavailableError('no server', { cause: new Error('refused') })
    const [printed] = await printedBy(() => consoleLogger.error({ event: 'store_unavailable', err }, 'away'))
    const line = printed?.line ?? ''
    assert.doesNotMatch(line, /\n/)
    const { err: told } = JSON.parse(line.slice(line.indexOf('{'))) as { err: Record<string, unknown> }
    assert.deepEqual(
      [told['name'], told['code'], told['message']],
      ['StoreUnavailableError', 'STORE_UNAVAILABLE', 'no server'],
    )
    assert.equal((told['cause'] as { message: string }).message, 'refused')
    assert.match(String(told['stack']), /console-logger\.test/)
  })

  it('prints the message also where the fields are no JSON', async () => {
    const fields: Record<string, unknown> = { event: 'odd', big: 1n }
    const [printed] = await printedBy(() => consoleLogger.warn(fields, 'odd'))
    assert.equal(printed?.line, 'oidc-provider-eventstore WARN odd: odd (fields that are no JSON)')
  })

  it('is that of eventSourced()', async () => {
    const store = new MemoryEventStore()
    const op = eventSourced(store)
    const printed = await printedBy(() =>
      assert.rejects(op.adapter('Session').upsert('id', { uid: 'uid', jti: 'id' }), { code: 'PROVIDER_UNFIT' }),
    )
    assert.match(printed[0]?.line ?? '', /^oidc-provider-eventstore ERROR provider_not_started: /)
    await store.close()
  })

  it('is that of a consumer', async () => {
    const store = new MemoryEventStore()
    await store.append({ events: [{ stream: 's:1', type: 't', data: {} }], claims: [], meta: {} })
    let failed = (): void => {}
    const handled = new Promise<void>((resolve) => {
      failed = resolve
    })
    const consumer = new Consumer({
      store,
      name: 'mine',
      tries: 1,
      onFailure: 'park',
      handle: async ([commit]) => {
        if (commit?.position === 1) throw new Error('cannot')
        failed()
      },
    })
    const printed = await printedBy(async () => {
      await consumer.start(0)
      await store.append({ events: [{ stream: 's:2', type: 't', data: {} }], claims: [], meta: {} })
      await handled
    })
    await consumer.stop()
    await store.close()
    assert.ok(printed.length > 0)
    for (const { line } of printed) assert.match(line, /^oidc-provider-eventstore (WARN|ERROR)/)
  })
})
