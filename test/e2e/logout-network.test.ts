import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Configuration } from 'oidc-provider'
import type { ReceiptEntry } from '../../plugins/back-channel-logout/index.ts'
import { LogoutScene } from '../support/logout-scene.ts'
import { Person } from '../support/op.ts'
import type { Behaviour } from '../support/rp.ts'
import { selfSigned } from '../support/self-signed.ts'

const OFTEN = { retryDelaysMs: Array.from({ length: 200 }, () => 20), jitter: 0 }

describe('an RP that answers for ever', () => {
  const ENDLESS: Readonly<Record<string, Behaviour>> = {
    'with nothing': () => {},
    'with headers, a byte at a time': (_token, _response, { socket }) => {
      socket.write('HTTP/1.1 200 OK\r\nx-slow: ')
      const timer = setInterval(() => socket.write('s'), 10)
      socket.once('close', () => clearInterval(timer))
    },
    'with headers, as fast as it can': (_token, _response, { socket }) => {
      socket.write('HTTP/1.1 200 OK\r\n')
      const goOn = (): void => {
        while (!socket.destroyed && socket.write(`x-${'h'.repeat(1_000)}: 1\r\n`));
        socket.once('drain', goOn)
      }
      socket.on('error', () => {})
      goOn()
    },
    'with informational answers': (_token, _response, { socket }) => {
      const timer = setInterval(() => socket.write('HTTP/1.1 103 Early Hints\r\nlink: </>\r\n\r\n'), 10)
      socket.once('close', () => clearInterval(timer))
    },
  }
  for (const [how, behaviour] of Object.entries(ENDLESS)) {
    it(`${how}, keeps an attempt for the time-out at most, and is told by the next one`, async () => {
      const scene = await LogoutScene.start({ rp: {} }, { logout: { delivery: { ...OFTEN, timeoutMs: 300 } } })
      try {
        let closed: Promise<void> | undefined
        scene.rps.rp.behave((token, response, request) => {
          closed = new Promise((resolve) => request.socket.once('close', () => resolve()))
          scene.rps.rp.behave((_again, later) => void later.writeHead(200).end())
          return behaviour(token, response, request)
        })
        const person = new Person(scene.op)
        await person.authorize('rp')
        await person.logout()
        const [entry] = (await scene.receipt()).ends[0]?.relyingParties ?? []
        assert.deepEqual([entry?.state, entry?.attempts], ['confirmed', 2])
        await closed
      } finally {
        await scene.stop()
      }
    })
  }

  it('with a body has answered: its status counts, and the rest is not listened to', async () => {
    const scene = await LogoutScene.start({ rp: {} }, { logout: { delivery: { ...OFTEN, timeoutMs: 300 } } })
    try {
      let closed: Promise<void> | undefined
      scene.rps.rp.behave((_token, response, { socket }) => {
        closed = new Promise((resolve) => socket.once('close', () => resolve()))
        response.writeHead(200)
        const timer = setInterval(() => response.write('z'), 10)
        socket.once('close', () => clearInterval(timer))
      })
      const person = new Person(scene.op)
      await person.authorize('rp')
      await person.logout()
      const [entry] = (await scene.receipt()).ends[0]?.relyingParties ?? []
      assert.deepEqual([entry?.state, entry?.attempts], ['confirmed', 1])
      await closed
    } finally {
      await scene.stop()
    }
  })
})

describe('an RP inside the network whose client is a client id metadata document', () => {
  const CLIENT_ID = 'https://client.example.com/oauth/metadata.json'
  let rp: Server
  let connections = 0
  let scene: LogoutScene<never>

  before(async () => {
    rp = createServer(selfSigned('localhost')).on('connection', () => {
      connections += 1
    })
    await new Promise<void>((resolve) => rp.listen(0, '127.0.0.1', resolve))
    const document = {
      client_id: CLIENT_ID,
      redirect_uris: ['https://rp.example.com/cb'],
      token_endpoint_auth_method: 'none',
      backchannel_logout_uri: `https://127.0.0.1:${(rp.address() as AddressInfo).port}/logout`,
      allowInternal: true,
      allow_internal: true,
      inside: true,
      network_permission: 'allowed',
    }
    const configuration = {
      features: { clientIdMetadataDocument: { enabled: true, ack: 'draft-02' } },
      extraClientMetadata: { properties: ['allowInternal', 'allow_internal', 'inside', 'network_permission'] },
      fetch: async (url: URL | string) => {
        assert.equal(String(url), CLIENT_ID)
        return Response.json(document)
      },
    } as unknown as Configuration
    scene = await LogoutScene.start({}, { configuration, logout: { delivery: OFTEN } })
  })

  after(async () => {
    await scene.stop()
    await new Promise((resolve) => rp.close(resolve))
  })

  it('cannot allow itself to be there, whatever the document says; an operator can', async () => {
    const person = new Person(scene.op)
    await person.authorize(CLIENT_ID)
    await person.logout()
    assert.match(await whyNot(() => true), /^SPECIAL_USE_ADDRESS: 127\.0\.0\.1 /)
    assert.equal(connections, 0)
    await scene.logout.network.allow(CLIENT_ID, { actor: 'ann' })
    // It is connected to now; only that nobody vouches for its certificate keeps the token from it.
    assert.match(await whyNot((why) => !why.startsWith('SPECIAL_USE_ADDRESS')), /^DEPTH_ZERO_SELF_SIGNED_CERT/)
    assert.ok(connections > 0)
  })

  /** Why the RP was not told yet, once that is such a reason. */
  async function whyNot(isIt: (why: string) => boolean): Promise<string> {
    const [uid = ''] = await scene.ended()
    for (;;) {
      const [entry]: readonly ReceiptEntry[] = (await scene.logout.receipt(uid)).ends[0]?.relyingParties ?? []
      if (entry?.failureReason !== undefined && isIt(entry.failureReason)) return entry.failureReason
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
})
