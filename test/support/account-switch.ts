import { field, type UserAgent } from './user-agent.ts'

/** Logs in as another account in the browser of the first one, as the pages lead. Returns where the RP is sent to. */
export async function switchAccount(agent: UserAgent, authorizationUrl: string, login: string): Promise<string> {
  const base = new URL(authorizationUrl).origin
  const stay = (url: string): boolean => url.startsWith(base)
  let page = await agent.follow(await agent.get(authorizationUrl), stay)
  for (let steps = 0; steps < 6; steps++) {
    const location = page.headers.get('location')
    if (location && !stay(new URL(location, page.url).href)) return location
    const action = new URL(field(page.text, /action="([^"]+)"/), page.url).href
    page = await agent.follow(await agent.post(action, formOf(page.text, login)), stay)
  }
  throw new Error(`the OP never sent the browser back: ${page.text}`)
}

function formOf(html: string, login: string): Record<string, string> {
  if (html.includes('name="xsrf"')) return { xsrf: field(html, /name="xsrf" value="([^"]+)"/), logout: 'yes' }
  const prompt = field(html, /name="prompt" value="([^"]+)"/)
  return { prompt, ...(prompt === 'login' && { login, password: 'x' }) }
}
