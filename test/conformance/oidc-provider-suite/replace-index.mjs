// Module hooks: in place of one module another one is loaded, which has all of its exports but the provider.
let index
let providerOnLog

export function initialize(data) {
  index = data.index
  providerOnLog = data.providerOnLog
}

export async function load(url, context, nextLoad) {
  if (url !== index) return nextLoad(url, context)
  const original = JSON.stringify(`${index}?original`)
  const source = `
    import * as original from ${original}
    import { providerOnLog } from ${JSON.stringify(providerOnLog)}
    export * from ${original}
    export const Provider = providerOnLog(original.default)
    export default Provider
  `
  return { format: 'module', source, shortCircuit: true }
}
