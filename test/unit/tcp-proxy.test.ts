import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { commandName, MessageSplitter, requestId, responseTo } from '../support/mongo-wire.ts'
import { seededRandom } from '../support/seeded-random.ts'
import { TcpProxy } from '../support/tcp-proxy.ts'

const OP_MSG = 2013

/** A message in MongoDB's protocol whose only element is `{ <command>: 1 }`. */
function message(command: string, id: number, replyTo = 0): Buffer {
  const name = Buffer.from(`${command}\0`)
  const document = Buffer.concat([
    Buffer.alloc(4),
    Buffer.from([0x10]),
    name,
    Buffer.from([1, 0, 0, 0]),
    Buffer.from([0]),
  ])
  document.writeInt32LE(document.length, 0)
  const header = Buffer.alloc(21)
  header.writeInt32LE(header.length + document.length, 0)
  header.writeInt32LE(id, 4)
  header.writeInt32LE(replyTo, 8)
  header.writeInt32LE(OP_MSG, 12)
  return Buffer.concat([header, document])
}

/** Answers each request with its own command, and remembers what it saw. */
class EchoServer {
  readonly seen: string[] = []
  readonly #sockets: Socket[] = []
  readonly #listener = createServer((socket) => {
    const splitter = new MessageSplitter()
    this.#sockets.push(socket)
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      for (const request of splitter.push(chunk)) {
        const command = commandName(request) ?? 'none'
        this.seen.push(command)
        socket.write(message(command, 0, requestId(request)))
      }
    })
  })

  async start(): Promise<number> {
    this.#listener.listen(0, '127.0.0.1')
    await once(this.#listener, 'listening')
    return (this.#listener.address() as AddressInfo).port
  }

  hangUp(): void {
    for (const socket of this.#sockets) socket.end()
  }

  async stop(): Promise<void> {
    this.#listener.close()
    await once(this.#listener, 'close')
  }
}

/** Sends one request at a time, as a driver's connection does. */
class Client {
  readonly socket: Socket
  readonly #waiting = new Map<number, { resolve: (command: string | undefined) => void; reject: (e: Error) => void }>()
  #lastId = 0

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1' })
    const splitter = new MessageSplitter()
    this.socket.on('data', (chunk) => {
      for (const reply of splitter.push(chunk)) this.#waiting.get(responseTo(reply))?.resolve(commandName(reply))
    })
    this.socket.on('error', () => {})
    this.socket.on('close', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('connection closed'))
    })
  }

  send(command: string): Promise<string | undefined> {
    this.#lastId += 1
    const id = this.#lastId
    const answered = new Promise<string | undefined>((resolve, reject) => this.#waiting.set(id, { resolve, reject }))
    this.socket.write(message(command, id))
    return answered
  }
}

describe('the TCP proxy', () => {
  let server: EchoServer
  let proxy: TcpProxy
  let clients: Client[]

  const client = (): Client => {
    const opened = new Client(proxy.port)
    clients.push(opened)
    return opened
  }

  beforeEach(async () => {
    server = new EchoServer()
    proxy = await TcpProxy.start(await server.start())
    clients = []
  })

  afterEach(async () => {
    for (const { socket } of clients) socket.destroy()
    await proxy.stop()
    await server.stop()
  })

  it('hands requests and replies on', async () => {
    const one = client()
    assert.equal(await one.send('find'), 'find')
    assert.equal(await one.send('insert'), 'insert')
    assert.deepEqual(server.seen, ['find', 'insert'])
  })

  it('cuts before the server has seen the request', async () => {
    const cut = proxy.dropBefore({ command: 'insert' })
    const one = client()
    await one.send('find')
    await assert.rejects(one.send('insert'), /connection closed/)
    await cut.happened
    assert.equal(cut.count, 1)
    assert.deepEqual(server.seen, ['find'])
  })

  it('cuts after the server has answered the request', async () => {
    const cut = proxy.cutAfter({ command: ['insert', 'bulkWrite'] })
    const one = client()
    await one.send('find')
    await assert.rejects(one.send('bulkWrite'), /connection closed/)
    await cut.happened
    assert.deepEqual(server.seen, ['find', 'bulkWrite'])
    assert.equal(await client().send('insert'), 'insert', 'it has met the one request that it was planned for')
  })

  it('answers in the place of the server, which never sees the request', async () => {
    proxy.answer({ command: 'insert', where: ({ insert }) => insert === 1 }, 'before', (request, reply) => {
      assert.deepEqual([request, reply], [{ insert: 1 }, {}])
      return { scripted: 1 }
    })
    assert.equal(await client().send('insert'), 'scripted')
    assert.deepEqual(server.seen, [])
    assert.equal(await client().send('insert'), 'insert')
  })

  it('answers otherwise than the server did, which has seen the request', async () => {
    proxy.answer({ command: 'insert' }, 'after', (_, reply) => ({ scripted: 1, ...reply }))
    assert.equal(await client().send('insert'), 'scripted')
    assert.deepEqual(server.seen, ['insert'])
  })

  it('spares requests that are not what a fault looks for', async () => {
    proxy.dropBefore({ command: 'insert', where: ({ insert }) => insert === 2 })
    assert.equal(await client().send('insert'), 'insert')
  })

  it('meets as many requests as it was told to, and no housekeeping', async () => {
    const cut = proxy.dropBefore({ times: 2 })
    assert.equal(await client().send('hello'), 'hello')
    await assert.rejects(client().send('find'))
    await assert.rejects(client().send('update'))
    await cut.happened
    assert.equal(await client().send('find'), 'find')
  })

  it('meets nothing after it was cancelled', async () => {
    proxy.dropBefore().cancel()
    assert.equal(await client().send('find'), 'find')
  })

  it('holds one request back and lets the others pass', async () => {
    const held = proxy.hold({ command: 'insert' })
    const answer = client().send('insert')
    await held.arrived
    assert.equal(await client().send('find'), 'find')
    assert.deepEqual(server.seen, ['find'])
    held.release()
    assert.equal(await answer, 'insert')
  })

  it('delivers a request whose client has given up meanwhile', async () => {
    const held = proxy.hold()
    const one = client()
    const answer = one.send('insert')
    await held.arrived
    one.socket.destroy()
    await assert.rejects(answer)
    held.release()
    const two = client()
    while (!server.seen.includes('insert')) await two.send('find')
  })

  it('stalls both directions, and goes on in order', async () => {
    const one = client()
    await one.send('find')
    proxy.stall()
    const arrived = proxy.arrival('update')
    const answers = Promise.all([one.send('insert'), one.send('update')])
    await arrived
    assert.deepEqual(server.seen, ['find'])
    proxy.resume()
    assert.deepEqual(await answers, ['insert', 'update'])
  })

  it('stalls replies alone', async () => {
    const one = client()
    proxy.stall('reply')
    let answered = false
    const answer = one.send('insert').then(() => {
      answered = true
    })
    const two = await connected(proxy.port)
    while (server.seen.length === 0) await new Promise((resolve) => setImmediate(resolve))
    assert.equal(answered, false)
    two.destroy()
    proxy.resume()
    await answer
  })

  it('delays messages, each direction by itself', async () => {
    proxy.delay(30, 'reply')
    const start = performance.now()
    await client().send('find')
    assert.ok(performance.now() - start >= 20)
  })

  it('refuses new connections and keeps the old ones until they are cut', async () => {
    const old = client()
    await old.send('find')
    proxy.refuse()
    await assert.rejects(client().send('find'))
    assert.equal(await old.send('find'), 'find')
    proxy.cutAll()
    await assert.rejects(old.send('find'))
    proxy.accept()
    assert.equal(await client().send('find'), 'find')
  })

  it('closes the client when the server closes its side', async () => {
    const one = client()
    await one.send('find')
    const closed = once(one.socket, 'close')
    server.hangUp()
    await closed
  })

  it('leaves nothing open when it stops', async () => {
    const one = client()
    await one.send('find')
    const answer = one.send('insert')
    await proxy.stop()
    await assert.rejects(answer, /connection closed/)
    assert.equal(proxy.connections, 0)
  })

  it('draws the same random faults for the same seed', async () => {
    const draw = async (seed: number): Promise<string> => {
      proxy.chaos({ seed, cutBefore: 0.3, cutAfter: 0.3, delayMs: 1 })
      let drawn = ''
      for (let i = 0; i < 30; i += 1) {
        const before = server.seen.length
        const answered = await client()
          .send('insert')
          .then(() => true)
          .catch(() => false)
        drawn += answered ? 'p' : server.seen.length > before ? 'a' : 'b'
      }
      proxy.calm()
      return drawn
    }
    const first = await draw(7)
    assert.equal(await draw(7), first)
    assert.notEqual(await draw(8), first)
    for (const outcome of 'pab') assert.ok(first.includes(outcome), `${outcome} in ${first}`)
  })

  it('leads any URI through itself, directly', () => {
    const { port } = proxy
    assert.equal(proxy.uri(), `mongodb://127.0.0.1:${port}/?directConnection=true`)
    assert.equal(
      proxy.uri('mongodb://me:secret@a:1,b:2/db?replicaSet=rs&authSource=admin'),
      `mongodb://me:secret@127.0.0.1:${port}/db?authSource=admin&directConnection=true`,
    )
    assert.throws(() => proxy.uri('mongodb+srv://a'))
  })
})

describe('messages of MongoDB', () => {
  it('are found however the network cuts them', () => {
    const bytes = Buffer.concat([message('insert', 1), message('find', 2), message('bulkWrite', 3)])
    const random = seededRandom(1)
    for (let round = 0; round < 50; round += 1) {
      const splitter = new MessageSplitter()
      const names: (string | undefined)[] = []
      for (let at = 0; at < bytes.length; ) {
        const next = at + 1 + Math.floor(random() * 20)
        names.push(...splitter.push(bytes.subarray(at, next)).map(commandName))
        at = next
      }
      assert.deepEqual(names, ['insert', 'find', 'bulkWrite'])
    }
  })
})

async function connected(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' })
  await once(socket, 'connect')
  return socket
}
