// Loaded before anything of oidc-provider's test run, in each of its processes: has `lib/index.js` of the checkout export a
// provider whose state is on the log.
import { register } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const checkout = process.env.EVENTSTORE_SUITE_CHECKOUT
if (checkout === undefined) throw new Error('EVENTSTORE_SUITE_CHECKOUT is not set')
register('./replace-index.mjs', {
  parentURL: import.meta.url,
  data: {
    index: pathToFileURL(join(checkout, 'lib', 'index.js')).href,
    providerOnLog: new URL('./provider-on-log.mjs', import.meta.url).href,
  },
})
