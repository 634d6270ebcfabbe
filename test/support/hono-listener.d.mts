import type { RequestListener } from 'node:http'
import type { Site } from '../../lib/web/site.ts'

/** A Hono app with a site in it, on Node's server. What the app is told went wrong goes into `errors`. */
export declare function honoListener(site: Site<unknown>, errors: unknown[]): RequestListener
