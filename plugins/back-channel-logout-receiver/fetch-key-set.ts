/** The largest key set that is read, in bytes. Those of large OPs, certificates included, are a tenth of that. */
export const KEY_SET_LIMIT_BYTES: number = 256 * 1024

/**
 * Fetches a JWKS (RFC 7517 section 5). Redirects are not followed. At most {@link KEY_SET_LIMIT_BYTES} are read; how long
 * it may take is the caller's to say, by `signal`. This is the one file of the receiver that makes a request.
 *
 * @throws {Error} that says what was wrong with the answer, or the error of `fetch`
 */
export async function fetchKeySet(url: URL, signal: AbortSignal): Promise<unknown> {
  const headers = { accept: 'application/jwk-set+json, application/json' }
  const response = await fetch(url, { headers, redirect: 'manual', signal })
  if (response.status !== 200) {
    await response.body?.cancel()
    throw new Error(`${url.href} answered with status ${response.status}, not 200`)
  }
  const text = await limitedText(response.body)
  if (text === undefined) throw new Error(`${url.href} answered with more than ${KEY_SET_LIMIT_BYTES} bytes`)
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new Error(`${url.href} answered with something that is not JSON`, { cause })
  }
}

/** Undefined when there is more than the limit; then the rest is not read. */
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
