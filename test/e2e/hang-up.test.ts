import assert from 'node:assert/strict'
import { type ClientRequest, request } from 'node:http'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { Client, type Op, Person, startOp, testClient } from '../support/op.ts'
import { barrier, SteeredStore } from '../support/steered-store.ts'

const ORIGIN = 'https://spa.example.com'

describe('a client that hangs up', () => {
  const store = new SteeredStore(new MemoryEventStore())
  let inside: () => void
  let hungUp: Promise<void>
  let fails = false
  let op: Op

  before(async () => {
    op = await startOp(store, { configuration: { extraTokenClaims, clientBasedCORS: () => true } })
  })
  after(async () => {
    await op.stop()
    await store.close()
  })

  async function extraTokenClaims(): Promise<undefined> {
    if (!fails) return undefined
    inside()
    await hungUp
    throw new Error('the claims are not to be had')
  }

  it('while its request fails leaves nothing of it, and may try again', async () => {
    const code = (await new Person(op).authorize('rp')).get('code') ?? ''
    const commits = store.commits.length
    const reached = new Promise<void>((resolve) => {
      inside = resolve
    })
    let goOn: () => void = () => {}
    hungUp = new Promise((resolve) => {
      goOn = resolve
    })
    const failed = new Promise((resolve) => op.provider.once('server_error', resolve))
    fails = true
    const sent = post(`${op.issuer}/token`, exchangeOf(code))
    await reached
    await hangUp(sent)
    fails = false
    goOn()
    await failed
    assert.equal((await new Client(op, testClient('rp')).exchange(code)).status, 200)
    assert.equal(store.commits.length, commits + 1)
  })

  it('is another matter than one that loses a race: its refusal may be read where the answer might have been', async () => {
    const code = (await new Person(op).authorize('rp')).get('code') ?? ''
    store.beforeAppend = barrier(2)
    const answers = await Promise.all(
      [1, 2].map(() =>
        fetch(`${op.issuer}/token`, { method: 'POST', body: exchangeOf(code), headers: { origin: ORIGIN } }),
      ),
    )
    store.beforeAppend = undefined
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 400])
    for (const { headers } of answers) {
      assert.equal(headers.get('access-control-allow-origin'), ORIGIN)
      assert.equal(headers.get('vary'), 'Origin')
    }
  })
})

function exchangeOf(code: string): URLSearchParams {
  const { client_id, client_secret } = testClient('rp')
  return new URLSearchParams({
    client_id,
    client_secret: String(client_secret),
    grant_type: 'authorization_code',
    code,
    redirect_uri: 'https://rp.example.com/cb',
  })
}

function post(url: string, body: URLSearchParams): ClientRequest {
  const sent = request(url, { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' } })
  sent.on('error', () => {}) // that is what hanging up does
  sent.end(body.toString())
  return sent
}

/** Resolves when the connection is gone at the server's end as well. */
async function hangUp(sent: ClientRequest): Promise<void> {
  sent.destroy()
  await new Promise((resolve) => sent.once('close', resolve))
  await new Promise((resolve) => setImmediate(resolve))
}
