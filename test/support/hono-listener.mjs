// Without types: those of Hono need the DOM's, which the rest of the project must not see.
import { getRequestListener } from '@hono/node-server'
import { Hono } from 'hono'

export function honoListener(site, errors) {
  const app = new Hono()
  app.use(async (context, next) => {
    const answer = await site.fetch(context.req.raw, context)
    if (answer) return answer
    await next()
  })
  app.notFound((context) => context.text('the application', 404))
  app.onError((error, context) => {
    errors.push(error)
    return context.text('failed', 500)
  })
  return getRequestListener(app.fetch)
}
