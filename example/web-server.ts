import { createServer } from 'node:http'
import type Koa from 'koa'
import type { Place } from './settings.ts'
import { StartupError } from './startup-error.ts'

/** How long requests may take once the server is to stop, in milliseconds. */
const GRACE_MS = 2_000

/** A server that listens. */
export interface WebServer {
  /** Takes no more requests, and waits for those that are being answered. */
  close(): Promise<void>
}

/** @throws StartupError when the port cannot be had */
export async function serve(app: Koa, { name, port, portVariable }: Place): Promise<WebServer> {
  const server = createServer(app.callback())
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(asStartupError(error, name, port, portVariable)))
    server.listen(port, '127.0.0.1', resolve)
  })
  return {
    async close() {
      const impatient = setTimeout(() => server.closeAllConnections(), GRACE_MS)
      await new Promise((resolve) => server.close(resolve))
      clearTimeout(impatient)
    },
  }
}

function asStartupError(error: NodeJS.ErrnoException, name: string, port: number, portVariable: string): Error {
  if (error.code === 'EADDRINUSE') {
    return new StartupError(
      `port ${port} (${name}) is taken: stop what listens there, or choose another with ${portVariable}`,
    )
  }
  if (error.code === 'EACCES') {
    return new StartupError(`port ${port} (${name}) is not allowed to you: choose another with ${portVariable}`)
  }
  return error
}
