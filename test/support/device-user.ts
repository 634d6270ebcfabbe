import type { Person } from './op.ts'
import { type Answer, field } from './user-agent.ts'

/** Types the user code in at the OP, and confirms. Returns the page that asks for a login or a consent. */
export async function enterUserCode(
  person: Person,
  op: { readonly issuer: string },
  userCode: string,
): Promise<Answer> {
  const entry = await person.agent.get(`${op.issuer}/device`)
  const typed = { xsrf: xsrfOf(entry), user_code: userCode }
  const question = await person.agent.post(`${op.issuer}/device`, typed)
  const answer = await person.agent.post(`${op.issuer}/device`, { ...typed, xsrf: xsrfOf(question), confirm: 'yes' })
  return person.agent.follow(answer)
}

/** Types the user code in at the OP, confirms, and logs in and consents where asked. Returns the last page. */
export async function approveDevice(
  person: Person,
  op: { readonly issuer: string },
  userCode: string,
  login: string,
): Promise<Answer> {
  let answer = await enterUserCode(person, op, userCode)
  for (let steps = 0; steps < 3 && answer.text.includes('name="prompt"'); steps++)
    answer = await person.agent.follow(await person.submit(answer, login))
  return answer
}

function xsrfOf(page: Answer): string {
  return field(page.text, /name="xsrf" value="([^"]+)"/)
}
