/** Posts to each of the URLs on the command line, in a process of its own, whose environment decides whom it trusts. */
import { guardedNetwork } from '../../plugins/back-channel-logout/network/network.ts'

const network = guardedNetwork({ timeoutMs: 5_000 })
const { signal } = new AbortController()
const answers = []
for (const url of process.argv.slice(2)) {
  answers.push(await network.post(url, { logout_token: 'a.b.c' }, { inside: true, signal }))
}
process.stdout.write(JSON.stringify(answers))
await network.close()
