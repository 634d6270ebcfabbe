import type uPlot from 'uplot'

/** So long each value counts, in seconds. */
export const QUARTER_SECONDS = 900

/** Between two bars, in pixels of the canvas. */
const GAP = 1

/** A bar for each quarter of an hour. */
export const bars: uPlot.Series.PathBuilder = (plot, series, from, to) => {
  const fill = new Path2D()
  const ground = plot.valToPos(0, 'y', true)
  eachQuarter(plot, series, from, to, (left, right, y) => {
    fill.rect(left, y, Math.max(1, right - left - GAP), ground - y)
  })
  return { fill, flags: FILL_AND_STROKE }
}

/** A line that is level for each quarter of an hour. Where there is nothing there is no line. */
export const steps: uPlot.Series.PathBuilder = (plot, series, from, to) => {
  const stroke = new Path2D()
  const ground = Math.round(plot.valToPos(0, 'y', true))
  eachQuarter(plot, series, from, to, (left, right, y) => {
    if (y === ground) stroke.moveTo(right, y)
    else stroke.lineTo(left, y)
    stroke.lineTo(right, y)
  })
  return { stroke, flags: FILL_AND_STROKE }
}

/** uPlot's `BAND_CLIP_FILL | BAND_CLIP_STROKE`: what a band would cut; there is none. */
const FILL_AND_STROKE = 3

function eachQuarter(
  plot: uPlot,
  series: number,
  from: number,
  to: number,
  draw: (left: number, right: number, y: number) => void,
): void {
  const [starts, values] = [plot.data[0], plot.data[series] ?? []]
  for (let index = from; index <= to; index += 1) {
    const start = starts[index] ?? 0
    const [left, right] = [start, start + QUARTER_SECONDS].map((at) => Math.round(plot.valToPos(at, 'x', true)))
    draw(left ?? 0, right ?? 0, Math.round(plot.valToPos(values[index] ?? 0, 'y', true)))
  }
}
