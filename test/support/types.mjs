// TypeScript for Node 20, which cannot strip types itself. mocha must not try `require()` first: every load
// error of an ES module would then read "Unexpected identifier".
if (!process.features.typescript) {
  await import('ts-blank-space/register')
  Object.defineProperty(process.features, 'require_module', { value: false })
}
