import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import middie from '@fastify/middie'
import { bodyParser } from '@koa/bodyparser'
import express from 'express'
import { fastify } from 'fastify'
import Koa from 'koa'
import mount from 'koa-mount'
import type { Site } from '../../lib/web/site.ts'
import { honoListener } from './hono-listener.mjs'

/** A site of which no hook looks at the framework's request. */
export type AnySite = Site<unknown>

/** A server in which a site is mounted; what is not the site's it answers with 404 and `the application`. */
export interface SiteServer {
  readonly origin: string
  /** What the framework was told went wrong. */
  readonly errors: unknown[]
  stop(): Promise<void>
}

type Mounting = (site: AnySite, errors: unknown[]) => RequestListener | Promise<RequestListener>

/** The ways to mount a site that has the base path `/my/site`. */
export const siteMountings: Readonly<Record<string, Mounting>> = {
  Koa: (site, errors) => koa(errors, (app) => app.use(site.koa)),
  'Koa after a body parser': (site, errors) => koa(errors, (app) => app.use(bodyParser()).use(site.koa)),
  'an app that is mounted into a Koa app': (site, errors) =>
    koa(errors, (app) => app.use(mount('/my', new Koa().use(site.koa)))),
  'a Koa app in an Express router': (site, errors) => {
    const inner = koa(errors, (app) => app.use(site.koa))
    return expressApp(errors, (app) => app.use('/my', express.Router().use(inner)))
  },
  Express: (site, errors) => expressApp(errors, (app) => app.use(site.node)),
  'Express below a path': (site, errors) => expressApp(errors, (app) => app.use('/my/site', site.node)),
  'an Express router in a router': (site, errors) =>
    expressApp(errors, (app) => app.use('/my', express.Router().use('/site', site.node))),
  'Express after its parsers': (site, errors) =>
    expressApp(errors, (app) =>
      app.use(express.json({ limit: '1mb' }), express.urlencoded({ extended: true, limit: '1mb' }), site.node),
    ),
  Fastify: async (site, errors) => fastifyApp(errors, (app) => site.fastify(app)),
  'Fastify through @fastify/middie': (site, errors) =>
    fastifyApp(errors, async (app) => {
      await app.register(middie)
      app.use(site.node)
    }),
  Hono: (site, errors) => honoListener(site, errors),
  "Node's own server": (site) => (request, response) =>
    site.node(request, response, () => response.writeHead(404).end('the application')),
}

export async function mountedSite(mounting: Mounting, site: AnySite): Promise<SiteServer> {
  const errors: unknown[] = []
  const server = createServer(await mounting(site, errors))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    errors,
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function koa(errors: unknown[], mounted: (app: Koa) => unknown): RequestListener {
  const app = new Koa()
  app.on('error', (error) => errors.push(error))
  mounted(app)
  app.use((ctx) => {
    ctx.status = 404
    ctx.body = 'the application'
  })
  return app.callback()
}

function expressApp(errors: unknown[], mounted: (app: express.Express) => unknown): RequestListener {
  const app = express()
  mounted(app)
  app.use((_request, response) => void response.status(404).send('the application'))
  app.use((error: unknown, _request: IncomingMessage, response: ServerResponse, _next: () => void) => {
    errors.push(error)
    response.writeHead(500).end('failed')
  })
  return app
}

async function fastifyApp(
  errors: unknown[],
  mounted: (app: ReturnType<typeof fastify>) => unknown,
): Promise<RequestListener> {
  const app = fastify()
  await mounted(app)
  app.setNotFoundHandler((_request, reply) => reply.code(404).send('the application'))
  app.setErrorHandler((error, _request, reply) => {
    errors.push(error)
    return reply.code(500).send('failed')
  })
  await app.ready()
  return (request, response) => void app.routing(request, response)
}
