/** A bar from zero to the median, and a line from the least to the most. */
export interface Bar {
  /** The group that it stands in. */
  readonly at: string
  readonly name: string
  readonly label: string
  readonly median: number
  readonly least: number
  readonly most: number
}

/** Draws bars, in groups, as SVG. */
export function drawBars(title: string, bars: readonly Bar[]): string
