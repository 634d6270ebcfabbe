import type { IncomingMessage } from 'node:http'

/** What the page sends back. */
export interface SingleSessionForm {
  readonly xsrf: string
  readonly id_token_hint: string
  readonly post_logout_redirect_uri?: string
  readonly state?: string
}

/** A form is read up to here. */
const MOST_BYTES = 64 * 1_024

const FIELDS = ['xsrf', 'id_token_hint', 'post_logout_redirect_uri', 'state'] as const

/**
 * Reads the form of a request, also where the application's own body parser was there before.
 * Undefined: it is none, it is too long, or a field is missing or there twice.
 */
export async function readForm(req: IncomingMessage, parsed: unknown): Promise<SingleSessionForm | undefined> {
  if (!/^application\/x-www-form-urlencoded\b/i.test(req.headers['content-type'] ?? '')) return undefined
  const fields = req.readableEnded ? parsedFields(parsed) : await readFields(req)
  const { xsrf, id_token_hint, ...rest } = fields ?? {}
  return xsrf === undefined || id_token_hint === undefined ? undefined : { xsrf, id_token_hint, ...rest }
}

type Fields = { readonly [Field in (typeof FIELDS)[number]]?: string }

function parsedFields(parsed: unknown): Fields | undefined {
  if (typeof parsed !== 'object' || parsed === null) return undefined
  const body = parsed as Record<string, unknown>
  return fieldsOf((name) => (body[name] === undefined ? [] : [body[name]]))
}

async function readFields(req: IncomingMessage): Promise<Fields | undefined> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of req as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength
    if (bytes > MOST_BYTES) return undefined
    chunks.push(chunk)
  }
  const form = new URLSearchParams(Buffer.concat(chunks).toString('utf8'))
  return fieldsOf((name) => form.getAll(name))
}

function fieldsOf(valuesOf: (name: string) => readonly unknown[]): Fields | undefined {
  const fields: { -readonly [Field in keyof Fields]: Fields[Field] } = {}
  for (const name of FIELDS) {
    const [value, another] = valuesOf(name)
    if (another !== undefined || (value !== undefined && typeof value !== 'string')) return undefined
    if (value !== undefined) fields[name] = value
  }
  return fields
}
