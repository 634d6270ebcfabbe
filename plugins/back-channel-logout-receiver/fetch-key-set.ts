/** The largest key set that is accepted, in bytes. Those of large OPs, with certificates, have a tenth of that. */
export const KEY_SET_LIMIT_BYTES: number = 256 * 1024

/**
 * Fetches a JWKS (RFC 7517 section 5). Redirects are not followed, and at most {@link KEY_SET_LIMIT_BYTES} are read. The
 * caller limits the time by `signal`. This is the only file of the receiver that makes requests.
 *
 * @throws {Error} that says what is wrong with the response, or the error of `fetch`
 */
export async function fetchKeySet(url: URL, signal: AbortSignal): Promise<unknown> {
  const headers = { accept: 'application/jwk-set+json, application/json' }
  const response = await fetch(url, { headers, redirect: 'manual', signal })
  if (response.status !== 200) {
    await response.body?.cancel()
    throw new Error(`${url.href} responded with status ${response.status}, not 200`)
  }
  const text = await limitedText(response.body)
  if (text === undefined) throw new Error(`${url.href} responded with more than ${KEY_SET_LIMIT_BYTES} bytes`)
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new Error(`${url.href} responded with something that is not JSON`, { cause })
  }
}

/** Undefined when the body exceeds the limit; the rest is not read. */
async function limitedText(body: AsyncIterable<Uint8Array> | null): Promise<string | undefined> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body ?? []) {
    bytes += chunk.byteLength
    if (bytes > KEY_SET_LIMIT_BYTES) return undefined // leaving the loop closes the connection
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
