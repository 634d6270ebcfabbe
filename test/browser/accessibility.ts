import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'

/** How much something keeps people out, in axe's words. */
type Impact = 'minor' | 'moderate' | 'serious' | 'critical'

/** The rules that colours decide: what passes all others in one colour scheme does so in the other one. */
export const BY_COLOURS: readonly string[] = ['color-contrast']

/** And those that the size of the window decides. */
export const BY_SIZE: readonly string[] = [...BY_COLOURS, 'target-size', 'scrollable-region-focusable']

/** What axe finds on the page, of these impacts; by all its rules, or by some. */
export async function violationsOn(
  page: Page,
  impacts: readonly Impact[],
  rules?: readonly string[],
): Promise<string[]> {
  axe ??= await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
  if (!(await page.evaluate('"axe" in window'))) await page.evaluate(axe)
  const options = { resultTypes: ['violations'], ...(rules && { runOnly: rules }) }
  const { violations } = (await page.evaluate(`axe.run(${JSON.stringify(options)})`)) as {
    violations: { id: string; impact: Impact; nodes: { html: string; failureSummary: string }[] }[]
  }
  return violations
    .filter(({ impact }) => impacts.includes(impact))
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join('; ')}`)
}

let axe: string | undefined
