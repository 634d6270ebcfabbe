import { explain as explainThing } from '../../../lib/explain/explain.ts'
import type { Explanation, Fact } from '../../../lib/explain/explanation.ts'
import { systemClock } from '../../../lib/index.ts'
import type { Register } from '../command-context.ts'
import { EXIT, UsageError } from '../exit-codes.ts'
import { moment } from '../terminal.ts'

/** The longest thing that is read: no token and no id is longer. */
const MOST = 64 * 1024

/** `explain`. */
export const explain: Register = (program, context) => {
  program
    .command('explain')
    .description(
      'tells from the log what became of a token, code, session id, uid, sid, user code, client or grant; ' +
        'ends with 1 where it is not valid. It is read from standard input, so that no shell keeps it',
    )
    .argument('[thing]', 'in place of standard input, for what is no secret')
    .action(async (argument: string | undefined) => {
      const { withStore, output, terminal, endWith } = context()
      if (argument === '') throw new UsageError('nothing was given: a token, a code or an id')
      const thing = argument ?? (await readThing(terminal.stdin, (text) => output.note(text)))
      await withStore(async (store) => {
        const found = await explainThing({ store, clock: systemClock, issuers: [] }, thing)
        output.result(found, () => textOf(found))
        if (found.verdict !== 'valid') endWith(EXIT.findings)
      })
    })
}

async function readThing(
  stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean },
  note: (text: string) => void,
): Promise<string> {
  if (stdin.isTTY) note('Paste what is to be explained, then a new line and Ctrl-D.')
  let text = ''
  for await (const chunk of stdin) {
    text += String(chunk)
    if (text.length > MOST) throw new UsageError('that is too long for a token or an id')
  }
  const thing = text.trim()
  if (thing === '') throw new UsageError('nothing was given: a token, a code or an id, on standard input')
  return thing
}

function textOf({ model, verdict, summary, facts }: Explanation): string {
  const head = model === undefined ? summary : `${model}: ${verdict}. ${summary}`
  return [head, ...facts.map(factLine)].join('\n')
}

function factLine({ at, position, model, what, actor, reason, issuer, beside }: Fact): string {
  const details = [
    ...(reason === undefined ? [] : [`reason ${reason}`]),
    ...(actor === undefined ? [] : [`by ${actor}`]),
    ...(issuer === undefined ? [] : [`at ${issuer}`]),
    ...(beside.length > 0 ? [`with ${beside.join(', ')}`] : []),
  ]
  const tail = details.length > 0 ? ` (${details.join('; ')})` : ''
  return `  ${moment(at)}  #${position}  ${model} ${what.replace('_', ' ')}${tail}`
}
