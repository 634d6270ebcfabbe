import type { Network } from 'oidc-provider-eventstore/plugins/back-channel-logout'
import { Agent, request } from 'undici'

/**
 * Sends logout tokens to the suite, whatever certificate it has, and to nobody else. The guarded network of the plugin
 * takes none that nobody has signed.
 */
export function networkTo(baseUrl: string): Network {
  const { origin } = new URL(baseUrl)
  const agent = new Agent({ connect: { rejectUnauthorized: false } })
  return {
    async post(url, form, { signal }) {
      if (new URL(url).origin !== origin) return { kind: 'failed', error: `${url} is not at the suite` }
      try {
        const headers = { 'content-type': 'application/x-www-form-urlencoded' }
        const body = new URLSearchParams(form).toString()
        const answer = await request(url, { method: 'POST', dispatcher: agent, headers, body, signal })
        await answer.body.dump({ limit: 4_096 })
        return { kind: 'answered', status: answer.statusCode, body: '' }
      } catch (error) {
        return { kind: 'failed', error: error instanceof Error ? error.message : String(error) }
      }
    },
    close: () => agent.destroy(),
  }
}
