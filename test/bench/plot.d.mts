/** A dot at the median, and a line from the least to the most. */
export interface Ratio {
  /** The group that it stands in. */
  readonly at: string
  readonly name: string
  readonly label: string
  readonly median: number
  readonly least: number
  readonly most: number
}

/** Draws ratios, in groups, on a logarithmic axis, as SVG. */
export function drawRatios(title: string, ratios: readonly Ratio[]): string
