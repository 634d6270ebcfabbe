// JavaScript, since the types of these libraries need those of a browser.
import * as Plot from '@observablehq/plot'
import { parseHTML } from 'linkedom'

/** See plot.d.mts. */
export function drawRatios(title, ratios) {
  const { document } = parseHTML('<!doctype html><html><body></body></html>')
  const names = [...new Set(ratios.map(({ name }) => name))]
  const groups = [...new Set(ratios.map(({ at }) => at))]
  const svg = Plot.plot({
    document,
    width: 900,
    height: 70 + groups.length * (40 + names.length * 18),
    marginLeft: 230,
    marginRight: 60,
    marginTop: 30,
    style: { background: 'white', color: 'black' },
    x: { type: 'log', label: title, grid: true, tickFormat: '~g' },
    y: { label: null, domain: names },
    fy: { axis: null, domain: groups, padding: 0.25 },
    color: { domain: names },
    marks: [
      Plot.ruleX([1], { stroke: '#888' }),
      Plot.text(groups, {
        fy: (group) => group,
        text: (group) => group,
        frameAnchor: 'top-left',
        dy: -10,
        dx: -220,
        textAnchor: 'start',
        fontWeight: 'bold',
      }),
      Plot.ruleY(ratios, {
        x1: 'least',
        x2: 'most',
        y: 'name',
        fy: 'at',
        stroke: 'name',
        strokeWidth: 3,
        strokeOpacity: 0.4,
      }),
      Plot.dot(ratios, { x: 'median', y: 'name', fy: 'at', fill: 'name', r: 5 }),
      Plot.text(ratios, { x: 'most', y: 'name', fy: 'at', text: 'label', textAnchor: 'start', dx: 8 }),
    ],
  })
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg')
  svg.setAttribute('role', 'img')
  svg.setAttribute('aria-label', title)
  return svg.outerHTML
}
