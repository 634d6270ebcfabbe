import type { ClientMetadata } from 'oidc-provider'

/** An RP that nobody here wrote, on a port of its own. It starts when its OP is there. */
export interface ForeignRp {
  readonly clientId: string
  readonly port: number
  /** What its client needs besides the usual. */
  readonly metadata: Partial<ClientMetadata>
  /** The path and query of its back-channel logout endpoint. */
  readonly backChannelPath: string
  /** A page for people who are logged in. It says `You are` and the subject. */
  readonly page: string
  /** Its own logout, which goes on to the OP. */
  readonly logout: string
  /** How it confirms a logout, of a session that it holds or not. */
  readonly confirms: number
  /** Where its login begins, also for somebody who is logged in. */
  login(issuer: string): string
  /** Resolves when it answers. */
  start(issuer: string, clientSecret: string): Promise<void>
  stop(): Promise<void>
}
