const BROWSERS = [
  ['Edg/', 'Edge'],
  ['Firefox/', 'Firefox'],
  ['Chrome/', 'Chrome'],
  ['Safari/', 'Safari'],
] as const

const SYSTEMS = [
  ['Android', 'Android'],
  ['iPhone', 'iPhone'],
  ['iPad', 'iPad'],
  ['Mac OS X', 'macOS'],
  ['Windows', 'Windows'],
  ['Linux', 'Linux'],
] as const

/** What people call a browser that calls itself so: enough to tell a phone from a laptop. */
export function deviceName(userAgent: string | readonly string[] | undefined): string {
  const text = String(userAgent ?? '')
  const browser = BROWSERS.find(([sign]) => text.includes(sign))?.[1] ?? 'A browser'
  const system = SYSTEMS.find(([sign]) => text.includes(sign))?.[1]
  return system === undefined ? browser : `${browser} on ${system}`
}
