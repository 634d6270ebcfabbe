const ends: (() => Promise<void>)[] = []

/** Has this done once, at the end of the run of tests, by the process that runs them. */
export function atEndOfRun(end: () => Promise<void>): void {
  ends.push(end)
}

export async function endRun(): Promise<void> {
  for (const end of ends.splice(0)) await end()
}
