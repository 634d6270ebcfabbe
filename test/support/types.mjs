// TypeScript for Node 20, which cannot strip types itself. mocha must not try `require()` first: every load
// error of an ES module would then read "Unexpected identifier".
import { register } from 'node:module'

if (!process.features.typescript) {
  register('./strip-types.mjs', import.meta.url)
  Object.defineProperty(process.features, 'require_module', { value: false })
}
