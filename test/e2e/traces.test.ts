import assert from 'node:assert/strict'
import { portOutsideEphemeralRange } from '../support/free-port.ts'
import { Front } from '../support/front.ts'
import { Person, testSigningKey } from '../support/op.ts'
import { OpProcess } from '../support/op-process.ts'
import type { OpSetup } from '../support/op-program.ts'
import { startRp } from '../support/rp.ts'
import { newPlace } from '../support/store-place.ts'
import type { ToldSpan } from '../support/tracing.ts'

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c'
const TRACEPARENT = `00-${TRACE_ID}-b7ad6b7169203331-01`
const APPEND = 'oidc_provider_eventstore append'
const ATTEMPT = 'send logout token'

describe('the trace of a logout', () => {
  it('leads from the user’s request over its commit to the plan and each attempt, in other processes, hours later', async () => {
    const [front, place, rpPort] = [await Front.start(), await newPlace('file'), await portOutsideEphemeralRange()]
    const dead = await startRp('rp', {}, rpPort)
    await dead.stop()
    const setup: OpSetup = {
      ...{ place: place.place, issuer: `http://127.0.0.1:${front.port}`, quicker: 20, traced: true },
      clients: [dead.metadata],
      jwks: { keys: [await testSigningKey()] },
      delivery: { retryDelaysMs: Array(20).fill(1_000), jitter: 0 },
    }
    const running: OpProcess[] = []
    const start = async (): Promise<OpProcess> => {
      const op = await OpProcess.start(setup)
      running.push(op)
      front.leadTo([op.port])
      return op
    }
    try {
      // The request and its commit: the process dies as soon as that is stored.
      const first = await start()
      const person = new Person(setup)
      await person.authorize('rp')
      const page = await person.endSession()
      await first.arm({ when: 'after', step: { append: 'session_logout session_logout.terminated' } })
      const action = /action="([^"]+)"/.exec(page.text)?.[1] ?? ''
      const xsrf = /name="xsrf" value="([^"]+)"/.exec(page.text)?.[1] ?? ''
      const confirmed = person.agent.post(action, { xsrf, logout: 'yes' }, { traceparent: TRACEPARENT })
      await Promise.all([confirmed.catch(() => undefined), first.died])
      assert.deepEqual(attemptsOf(first), [])

      // The plan and an attempt that fails, in another process.
      const second = await start()
      const planned = await second.span('plan logouts')
      const failed = await second.span(ATTEMPT)
      await second.kill()
      assert.equal(failed.attributes['error.type'], 'no_answer')

      // Another attempt, when the RP is back, in a third one.
      const rp = await startRp('rp', {}, rpPort)
      const third = await start()
      await rp.received(1)
      const sent = await third.span(ATTEMPT)
      await rp.stop()

      for (const span of [planned, failed, sent]) {
        assert.deepEqual(
          span.links.map(({ traceId }) => traceId),
          [TRACE_ID],
          span.name,
        )
        assert.notEqual(span.traceId, TRACE_ID)
        assert.equal(span.parentId, undefined)
      }
      assert.equal(new Set([planned, failed, sent].map(({ traceId }) => traceId)).size, 3)
      assert.equal(new Set([planned, failed, sent].map(({ links }) => links[0]?.spanId)).size, 1)

      // What an attempt has come to is a part of its own trace.
      const outcome = second.spans.filter(({ name, parentId }) => name === APPEND && parentId === failed.spanId)
      assert.equal(outcome.length, 1)
    } finally {
      await Promise.all(running.map((op) => op.kill()))
      await front.stop()
      await place.drop()
    }
  })

  it('has the commit as a part of the request, by the trace of whoever has sent it', async () => {
    const place = await newPlace('file')
    const rp = await startRp('rp')
    const front = await Front.start()
    const issuer = `http://127.0.0.1:${front.port}`
    const jwks = { keys: [await testSigningKey()] }
    const op = await OpProcess.start({
      place: place.place,
      issuer,
      clients: [rp.metadata],
      jwks,
      quicker: 1,
      traced: true,
    })
    front.leadTo([op.port])
    try {
      const person = new Person({ issuer })
      await person.agent.get(person.authorizationUrl('rp'), { traceparent: TRACEPARENT })
      const append = await op.span(APPEND)
      const request = await op.span('GET auth')
      assert.equal(request.traceId, TRACE_ID)
      assert.deepEqual([append.traceId, append.parentId], [TRACE_ID, request.spanId])
      const [commit] = await op.log()
      assert.equal(commit?.meta.trace, `00-${TRACE_ID}-${append.spanId}-01`)
    } finally {
      await op.kill()
      await rp.stop()
      await front.stop()
      await place.drop()
    }
  })
})

function attemptsOf({ spans }: OpProcess): ToldSpan[] {
  return spans.filter(({ name }) => name === ATTEMPT)
}
