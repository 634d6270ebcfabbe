import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { OutgoingHttpHeaders } from 'node:http'
import type { Socket } from 'node:net'
import { guardedNetwork, type Network } from '../../plugins/back-channel-logout/network/network.ts'
import { type Answering, answering, connecting } from '../support/answering.ts'

/** The RP's server listens on the one. The other stands for an address inside the network. */
const GOOD = '127.0.0.1'
const BAD = '127.0.0.2'
const TOLD = { kind: 'answered', status: 200, body: '' } as const

describe('a name that leads to another address by the next attempt', () => {
  let rp: Answering
  let network: Network
  let headers: OutgoingHttpHeaders
  let leadsTo: string
  let lookUps: number
  let sockets: Socket[]

  beforeEach(async () => {
    headers = {}
    leadsTo = GOOD
    lookUps = 0
    sockets = []
    rp = await answering((response, request) => {
      sockets.push(request.socket)
      response.writeHead(200, headers).end()
    })
    network = networkWith({})
  })

  afterEach(async () => {
    await network.close()
    await rp.stop()
  })

  function networkWith(more: { readonly idleMs?: number }): Network {
    return guardedNetwork({
      timeoutMs: 5_000,
      isRefused: (address) => address === BAD,
      resolve: async () => {
        lookUps += 1
        return [{ address: leadsTo, family: 4 }]
      },
      ...more,
    })
  }

  function post(): ReturnType<Network['post']> {
    const options = { inside: false, signal: new AbortController().signal }
    return network.post(`http://rp.example.com:${rp.port}/`, { logout_token: 'a.b.c' }, options)
  }

  /** Resolves when the next answer has been read to its end, and its connection can be used again. */
  async function connectionIsFree(): Promise<void> {
    await new Promise<void>((resolve) => {
      subscribe('undici:request:trailers', function ended() {
        unsubscribe('undici:request:trailers', ended)
        resolve()
      })
    })
    await new Promise((resolve) => setImmediate(resolve))
  }

  async function refused(): Promise<void> {
    const answer = await post()
    assert.ok(answer.kind === 'failed', JSON.stringify(answer))
    assert.match(answer.error, /^SPECIAL_USE_ADDRESS: 127\.0\.0\.2 /)
  }

  it('is looked up again for each connection, and refused', async () => {
    headers = { connection: 'close' }
    assert.deepEqual(await post(), TOLD)
    assert.deepEqual(await post(), TOLD)
    leadsTo = BAD
    await refused()
    await refused()
    assert.deepEqual([lookUps, rp.connections], [4, 2])
  })

  it('is refused once the connection breaks that was kept', async () => {
    assert.deepEqual(await post(), TOLD)
    leadsTo = BAD
    sockets[0]?.destroy()
    // The network may learn of it from a request: that one was not answered, and nothing else has it.
    const answer = await post()
    if (answer.kind === 'failed' && !answer.error.startsWith('SPECIAL_USE_ADDRESS')) await refused()
    else assert.equal(answer.kind, 'failed')
    assert.deepEqual([rp.connections, rp.requests.length], [1, 1])
  })

  it('is not asked for while a connection is kept: that goes where it went when it was checked', async () => {
    const free = connectionIsFree()
    assert.deepEqual(await post(), TOLD)
    await free
    leadsTo = BAD
    assert.deepEqual(await post(), TOLD)
    assert.deepEqual([lookUps, rp.connections, rp.requests.length], [1, 1, 2])
    assert.equal(sockets[0], sockets[1])
  })

  it('is not put off by an RP that offers to keep the connection for long', async () => {
    let closed: Promise<void> | undefined
    await rp.stop()
    rp = await connecting((socket) => {
      closed = new Promise((resolve) => socket.once('close', () => resolve()))
      socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\nkeep-alive: timeout=600\r\n\r\n'))
    })
    await network.close()
    network = networkWith({ idleMs: 100 })
    assert.deepEqual(await post(), TOLD)
    leadsTo = BAD
    await closed
    await refused()
  })
})
