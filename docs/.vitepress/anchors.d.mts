export function slugOf(heading: string): string
export function anchorsOf(markdown: string): Set<string>
