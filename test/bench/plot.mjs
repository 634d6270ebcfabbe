// JavaScript, since the types of these libraries need those of a browser.
import * as Plot from '@observablehq/plot'
import { parseHTML } from 'linkedom'

/** See plot.d.mts. */
export function drawBars(title, bars) {
  const { document } = parseHTML('<!doctype html><html><body></body></html>')
  const marks = [
    Plot.barX(bars, { x: 'median', y: 'name', fy: 'at', fill: 'name' }),
    Plot.ruleY(bars, { x1: 'least', x2: 'most', y: 'name', fy: 'at' }),
    Plot.text(bars, { x: 'most', y: 'name', fy: 'at', text: 'label', textAnchor: 'start', dx: 6 }),
  ]
  const svg = Plot.plot({
    document,
    width: 960,
    marginLeft: 230,
    marginRight: 120,
    marginTop: 40,
    style: { background: 'white', color: 'black' },
    x: { label: title, grid: true },
    y: { label: null },
    fy: { label: null },
    marks,
  })
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg')
  return svg.outerHTML
}
