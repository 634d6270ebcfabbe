/** What happened to logouts within the last 24 hours, as far as the log's newest part tells. */
export interface LogoutStatistics {
  /** From when on it is counted, milliseconds since 1970. */
  readonly since: number
  /** Whether that is 24 hours ago. False: so much is in the log that only its newest part was read. */
  readonly isWhole: boolean
  /** Until when, milliseconds since 1970. */
  readonly until: number
  /** All clients together. */
  readonly total: LogoutFigures
  /** By client, those with most attempts first; at most 500 beside those of the provider's configuration. One that took the place of another is counted since then. */
  readonly clients: readonly ClientStatistics[]
  /** How many clients were left out of `clients`, 10,000 at most: `total` counts them. */
  readonly moreClients: number
  /** The same of each quarter of an hour in which anything happened, the oldest first. */
  readonly quarters: readonly QuarterStatistics[]
}

/** What was counted. */
export interface LogoutFigures {
  /** Ends of sessions, or of logins in them. Of a client: those that it was told of are not counted apart, it is 0. */
  readonly logouts: number
  /** Deliveries that an RP confirmed. */
  readonly confirmed: number
  /** Attempts that failed and are tried again. */
  readonly attemptsFailed: number
  /** Deliveries that an RP refused for good. */
  readonly rejected: number
  /** Deliveries that nobody tries any more, for another reason. */
  readonly abandoned: number
  /** Deliveries that would have ended a newer login, and were not sent. */
  readonly superseded: number
  /** From the end of a session until an RP confirmed, by delivery. Absent: none did. */
  readonly timeToLogoutMs?: Percentiles
  /** How long attempts took that were confirmed. The log records that of no others. Absent: none was. */
  readonly latencyMs?: Percentiles
}

/** Read from a histogram of fixed size: each is at most 10 % too high, and never too low. In milliseconds. */
export interface Percentiles {
  readonly p50: number
  readonly p95: number
  /** Of how many. */
  readonly count: number
}

/** The figures of one client. */
export interface ClientStatistics extends LogoutFigures {
  readonly clientId: string
}

/** The figures of a quarter of an hour. */
export interface QuarterStatistics extends LogoutFigures {
  /** When it begins, milliseconds since 1970. */
  readonly from: number
}
