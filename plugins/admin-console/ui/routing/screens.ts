/** The screens that the navigation leads to. */
export interface ScreenEntry {
  readonly path: string
  readonly name: string
  /** After `g`, leads here. */
  readonly letter: string
  readonly group: 'Now' | 'Deliveries' | 'System'
}

export const SCREENS: readonly ScreenEntry[] = [
  { path: '/', name: 'Overview', letter: 'o', group: 'Now' },
  { path: '/clients', name: 'Relying parties', letter: 'r', group: 'Now' },
  { path: '/sessions', name: 'Sessions', letter: 's', group: 'Now' },
  { path: '/logouts', name: 'Logouts', letter: 'l', group: 'Now' },
  { path: '/dead-letters', name: 'Dead letters', letter: 'd', group: 'Deliveries' },
  { path: '/pending', name: 'Pending', letter: 'p', group: 'Deliveries' },
  { path: '/parked', name: 'Parked commits', letter: 'k', group: 'Deliveries' },
  { path: '/terminations', name: 'Terminations', letter: 't', group: 'System' },
  { path: '/features', name: 'Features', letter: 'f', group: 'System' },
  { path: '/log', name: 'Log', letter: 'e', group: 'System' },
]

/** The entry that a path belongs to: `/clients/shop` belongs to the RPs. */
export function entryOf(path: string): ScreenEntry | undefined {
  return SCREENS.find((entry) => path === entry.path || (entry.path !== '/' && path.startsWith(`${entry.path}/`)))
}
