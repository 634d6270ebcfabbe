import { once } from 'node:events'
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import middie from '@fastify/middie'
import Hapi from '@hapi/hapi'
import express from 'express'
import { fastify } from 'fastify'
import Koa from 'koa'
import mount from 'koa-mount'
import type Provider from 'oidc-provider'

/** Has a server answer with the provider below a path, as a framework does it. Returns what ends that. */
export type Mounting = (provider: Provider, path: string, server: Server) => Promise<() => Promise<void>>

const nothingToEnd = async (): Promise<void> => {}

function answeredBy(listener: (provider: Provider, path: string) => RequestListener): Mounting {
  return async (provider, path, server) => {
    server.on('request', listener(provider, path))
    return nothingToEnd
  }
}

/** The ways that oidc-provider's documentation names, and what teams do besides. */
export const mountings: Readonly<Record<string, Mounting>> = {
  'koa-mount': answeredBy((provider, path) => {
    const app = new Koa()
    app.keys = (provider as unknown as { keys: string[] }).keys
    app.use(mount(path, provider as never))
    return app.callback()
  }),
  'Express: app.use()': answeredBy((provider, path) => express().use(path, provider.callback())),
  'Express: a router in a router': answeredBy((provider, path) => {
    const [, first = '', ...rest] = path.split('/')
    const inner = express.Router().use(`/${rest.join('/')}`, provider.callback())
    return express().use(`/${first}`, inner)
  }),
  'koa-mount inside Express': answeredBy((provider, path) => {
    const [, first = '', ...rest] = path.split('/')
    const app = new Koa()
    app.keys = (provider as unknown as { keys: string[] }).keys
    app.use(mount(`/${rest.join('/')}`, provider as never))
    return express().use(`/${first}`, app.callback())
  }),
  'Nest: a controller that shortens the URL': answeredBy((provider, path) => {
    const callback = provider.callback()
    return express().all(`${path}/*rest`, (request, response) => {
      request.url = request.originalUrl.replace(path, '')
      void callback(request, response)
    })
  }),
  'Fastify: @fastify/middie': async (provider, path, server) => {
    const app = fastify({ serverFactory: (handler) => server.on('request', handler) })
    await app.register(middie)
    app.use(path, provider.callback())
    await app.ready()
    return nothingToEnd // the server is the test's own
  },
  'hapi: a route with the raw request': async (provider, path, server) => {
    const callback = provider.callback()
    const app = new Hapi.Server({ listener: server, autoListen: false })
    app.route({
      path: `${path}/{any*}`,
      method: '*',
      options: { payload: { output: 'stream', parse: false } },
      async handler({ raw: { req, res } }, h) {
        const request: IncomingMessage & { originalUrl?: string | undefined } = req
        request.originalUrl = request.url
        request.url = request.url?.replace(path, '') ?? ''
        const finished = once(res, 'finish')
        void (callback as (req: IncomingMessage, res: ServerResponse) => void)(request, res)
        await finished
        return h.abandon
      },
    })
    await app.initialize()
    return () => app.stop()
  },
}
