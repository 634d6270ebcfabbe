/** The lane of an RP: of one issuer, since two OPs may share a database and each sends only its own. */
export function laneOf(issuer: string, clientId: string): string {
  return `${lanePrefix(issuer)}${clientId}`
}

export function lanePrefix(issuer: string): string {
  return `${issuer} `
}
