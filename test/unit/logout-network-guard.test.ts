import assert from 'node:assert/strict'
import type { LookupAddress } from 'node:dns'
import { guardedNetwork, type Network, type Resolve } from '../../plugins/back-channel-logout/network/network.ts'
import { type Answering, answering } from '../support/answering.ts'

const PUBLIC: LookupAddress = { address: '93.184.215.14', family: 4 }
const LOOPBACK: LookupAddress = { address: '127.0.0.1', family: 4 }
const NEVER = new AbortController().signal

describe('the guarded network', () => {
  let rp: Answering
  let network: Network | undefined

  before(async () => {
    rp = await answering((response) => response.writeHead(200).end('told'))
  })

  after(() => rp.stop())

  afterEach(() => network?.close())

  /** Posts with names that resolve so. Whoever asks for a literal is found out. */
  function post(url: string, inside: boolean, resolve: Resolve = () => Promise.reject(new Error('looked up'))) {
    network = guardedNetwork({ timeoutMs: 5_000, resolve })
    return network.post(url, { logout_token: 'x' }, { inside, signal: NEVER })
  }

  async function refused(url: string, resolve?: Resolve): Promise<void> {
    const before = rp.connections
    const answer = await post(url, false, resolve)
    assert.ok(answer.kind === 'failed', JSON.stringify(answer))
    assert.match(answer.error, /^SPECIAL_USE_ADDRESS: .*allowInternal/)
    assert.equal(rp.connections, before, 'it connected')
  }

  for (const host of [
    '127.0.0.1',
    '127.0.0.1.',
    '127.1',
    '127.0.1',
    '2130706433',
    '0x7f.1',
    '0x7f000001',
    '0X7F.0.0.0x1',
    '0177.0.0.1',
    '017700000001',
    '127.0.0.01',
    '%31%32%37.0.0.1',
    '\u2460\u2461\u2466.0.0.1',
    '\uff11\uff12\uff17\u30020\u30020\u30021',
    '[::1]',
    '[0:0:0:0:0:0:0:1]',
    '[::127.0.0.1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[0:0:0:0:0:FFFF:127.0.0.1]',
    '[::ffff:0:127.0.0.1]',
    '[64:ff9b::7f00:1]',
    '[64:ff9b::127.0.0.1]',
    '[64:ff9b:1::7f00:1]',
    '[2002:7f00:1::]',
    '[fe80::1]',
    '[fd00:ec2::254]',
    '169.254.169.254',
    '0xa9fea9fe',
    '0.0.0.0',
    '0',
    '[::]',
  ]) {
    it(`refuses the literal ${host} before it connects`, async () => {
      await refused(`http://${host}:${rp.port}/`)
      await refused(`https://${host}:${rp.port}/`)
    })
  }

  for (const address of [
    '127.0.0.1',
    '10.0.0.1',
    '169.254.169.254',
    '::1',
    'fe80::1',
    'fd00:ec2::254',
    '::ffff:127.0.0.1',
  ]) {
    it(`refuses a name that resolves to ${address}`, async () => {
      await refused(`http://rp.example.com:${rp.port}/`, async () => [
        { address, family: address.includes(':') ? 6 : 4 },
      ])
    })
  }

  it('refuses a name that resolves to good and bad addresses, in any order', async () => {
    await refused(`http://rp.example.com:${rp.port}/`, async () => [PUBLIC, LOOPBACK])
    await refused(`http://rp.example.com:${rp.port}/`, async () => [LOOPBACK, PUBLIC])
  })

  it('refuses localhost, which the system resolves, or does not', async () => {
    network = guardedNetwork({ timeoutMs: 5_000 })
    const before = rp.connections
    for (const host of ['localhost', 'LOCALHOST', 'localhost.', 'rp.localhost', 'rp.localhost.']) {
      const answer = await network.post(`http://${host}:${rp.port}/`, {}, { inside: false, signal: NEVER })
      assert.ok(answer.kind === 'failed')
      assert.match(
        answer.error,
        host.toLowerCase() === 'localhost' ? /^SPECIAL_USE_ADDRESS/ : /^SPECIAL_USE_ADDRESS|^E[A-Z_]+: /,
      )
    }
    assert.equal(rp.connections, before)
  })

  it('writes nothing to an address that was public when it was checked and is not when it is connected to', async () => {
    let looks = 0
    const rebinding: LookupAddress = {
      family: 4,
      get address() {
        looks += 1
        return looks === 1 ? PUBLIC.address : LOOPBACK.address
      },
    }
    const before = rp.connections
    const answer = await post(`http://rp.example.com:${rp.port}/`, false, async () => [rebinding])
    assert.ok(answer.kind === 'failed')
    assert.match(answer.error, /^SPECIAL_USE_ADDRESS: 127\.0\.0\.1/)
    assert.equal(rp.connections, before + 1, 'the trick did not work')
    assert.deepEqual(rp.requests, [])
  })

  it('says so when a name has no address, or cannot be looked up', async () => {
    const nowhere = await post('http://rp.example.com/', false, async () => [])
    assert.deepEqual(nowhere, { kind: 'failed', error: 'rp.example.com has no address' })
    await network?.close()
    const notFound = Object.assign(new Error('getaddrinfo ENOTFOUND rp.example.com'), { code: 'ENOTFOUND' })
    const unknown = await post('http://rp.example.com/', false, () => Promise.reject(notFound))
    assert.ok(unknown.kind === 'failed')
    assert.match(unknown.error, /^ENOTFOUND: /)
  })

  it('lets those through that the operators allow, by literal and by name', async () => {
    const before = rp.requests.length
    const told = { kind: 'answered', status: 200, body: 'told' }
    assert.deepEqual(await post(`${rp.origin}/`, true), told)
    await network?.close()
    assert.deepEqual(await post(`http://rp.example.com:${rp.port}/`, true, async () => [LOOPBACK]), told)
    assert.equal(rp.requests.length, before + 2)
  })

  it('does not let one that is not allowed share the connection of one that is', async () => {
    network = guardedNetwork({ timeoutMs: 5_000, resolve: async () => [LOOPBACK] })
    const url = `http://rp.example.com:${rp.port}/`
    assert.equal((await network.post(url, {}, { inside: true, signal: NEVER })).kind, 'answered')
    assert.equal((await network.post(url, {}, { inside: false, signal: NEVER })).kind, 'failed')
  })
})
