import { MongoClient } from 'mongodb'
import { TcpProxy } from './tcp-proxy.ts'

/** A proxy in front of the server that takes the writes, be it a replica set's primary or a server alone. */
export async function proxyInFrontOf(serverUri: string): Promise<{ proxy: TcpProxy; uri: string }> {
  const client = await MongoClient.connect(serverUri)
  try {
    const hello = await client.db('admin').command({ hello: 1 })
    const reached = client.options.hosts[0]
    // A member that is reached directly may give itself a name that only its own network knows.
    const named = client.options.directConnection ? undefined : (hello.primary as string | undefined)
    const address = named ?? `${reached?.host}:${reached?.port}`
    const colon = address.lastIndexOf(':')
    const proxy = await TcpProxy.start({ host: address.slice(0, colon), port: Number(address.slice(colon + 1)) })
    return { proxy, uri: proxy.uri(serverUri) }
  } finally {
    await client.close()
  }
}
