import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Answer } from '../../plugins/back-channel-logout/network/answer.ts'
import { selfSigned } from '../support/self-signed.ts'

const run = promisify(execFile)
const PROGRAM = fileURLToPath(new URL('../support/posting.ts', import.meta.url))
const TYPES = new URL('../support/types.mjs', import.meta.url).href

/** The system trusts all but the last: what is wrong with the others is not that nobody vouches for them. */
const CERTIFICATES = {
  good: selfSigned('localhost'),
  'of another host': selfSigned('rp.example.com'),
  expired: selfSigned('localhost', [2021, 2024]),
  'not valid yet': selfSigned('localhost', [2045, 2049]),
  'of nobody the system trusts': selfSigned('localhost'),
}
const TRUSTED = ['good', 'of another host', 'expired', 'not valid yet'] as const

const ERRORS = {
  'of another host': /^ERR_TLS_CERT_ALTNAME_INVALID: /,
  expired: /^CERT_HAS_EXPIRED: /,
  'not valid yet': /^CERT_NOT_YET_VALID: /,
  'of nobody the system trusts': /^DEPTH_ZERO_SELF_SIGNED_CERT: /,
} as const

type Kind = keyof typeof CERTIFICATES
const KINDS = Object.keys(CERTIFICATES) as Kind[]

describe('an RP whose certificate is', () => {
  const requests = new Map<Kind, number>()
  const servers: Server[] = []
  let answers: ReadonlyMap<Kind, Answer>
  let folder: string
  let lax: ReadonlyMap<Kind, Answer>

  before(async () => {
    const urls: string[] = []
    for (const kind of KINDS) {
      const server = createServer(CERTIFICATES[kind], (_request, response) => {
        requests.set(kind, (requests.get(kind) ?? 0) + 1)
        response.writeHead(200).end()
      })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      servers.push(server)
      urls.push(`https://localhost:${(server.address() as AddressInfo).port}/`)
    }
    folder = await mkdtemp(join(tmpdir(), 'oidc-provider-eventstore-'))
    const authorities = join(folder, 'authorities.pem')
    await writeFile(authorities, TRUSTED.map((kind) => CERTIFICATES[kind].cert).join(''))
    const environment = { ...process.env, NODE_EXTRA_CA_CERTS: authorities }
    answers = await posted(urls, environment)
    lax = await posted(urls, { ...environment, NODE_TLS_REJECT_UNAUTHORIZED: '0' })
  })

  after(async () => {
    for (const server of servers) {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
    await rm(folder, { recursive: true, force: true })
  })

  it('good is told', () => {
    assert.deepEqual(answers.get('good'), { kind: 'answered', status: 200, body: '' })
    assert.equal(requests.get('good'), 2)
  })

  for (const [kind, error] of Object.entries(ERRORS) as [keyof typeof ERRORS, RegExp][]) {
    it(`${kind} is not told, whatever NODE_TLS_REJECT_UNAUTHORIZED says`, () => {
      for (const answer of [answers.get(kind), lax.get(kind)]) {
        assert.ok(answer?.kind === 'failed', JSON.stringify(answer))
        assert.match(answer.error, error)
      }
      assert.equal(requests.get(kind), undefined)
    })
  }
})

async function posted(urls: readonly string[], env: NodeJS.ProcessEnv): Promise<ReadonlyMap<Kind, Answer>> {
  const { stdout } = await run(process.execPath, ['--import', TYPES, PROGRAM, ...urls], { env })
  const answers = JSON.parse(stdout) as Answer[]
  return new Map(KINDS.map((kind, i) => [kind, answers[i] as Answer]))
}
