// The OP under test: node --import ./test/support/types.mjs test/conformance/serve.ts. docs/conformance.md tells how.
import { readFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { makeLogger } from '../../example/logger.ts'
import { selfSigned } from '../support/self-signed.ts'
import { startOpUnderTest } from './op-under-test.ts'

const { values } = parseArgs({
  options: {
    origin: { type: 'string', default: 'https://host.docker.internal:3443' },
    suite: { type: 'string', default: 'https://localhost.emobix.co.uk:8443' },
    alias: { type: 'string', default: 'oidc-provider-eventstore' },
    state: { type: 'string', default: 'artefacts/conformance' },
    mongodb: { type: 'string' },
    'tls-key': { type: 'string' },
    'tls-cert': { type: 'string' },
  },
})
const { origin, suite, alias, state, mongodb } = values
const { port, hostname } = new URL(origin)
const files = [values['tls-key'], values['tls-cert']]
const [key, cert] = await Promise.all(files.map((file) => file && readFile(file, 'utf8')))
const op = await startOpUnderTest({
  ...{ origin: new URL(origin).origin, port: Number(port || 443), stateFolder: state },
  tls: key && cert ? { key, cert } : selfSigned(hostname),
  suite: { baseUrl: suite, alias },
  ...(mongodb !== undefined && { mongodbUri: mongodb }),
  logger: makeLogger('info'),
})
console.log(`The OP under test: ${op.issuer}`)
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void op.stop().then(() => process.exit(0)))
