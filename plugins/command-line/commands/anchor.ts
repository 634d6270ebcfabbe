import { makeAnchor, type SignedAnchor } from '../../../lib/index.ts'
import { type AnchorKeyOptions, anchorKeyOf, appendAnchor } from '../anchors.ts'
import type { Register } from '../command-context.ts'

/** `anchor`. */
export const anchor: Register = (program, context) => {
  program
    .command('anchor')
    .description(
      'signs what the log is now, to be kept elsewhere: `verify --anchor` finds by it that the log was put back',
    )
    .option('--out <file>', 'adds it to this file, as a line; otherwise it is printed')
    .option(
      '--anchor-key <file>',
      'the private key: Ed25519 or P-256, PEM or JWK. Default: derived from the hashing key',
    )
    .action(async ({ out, ...options }: AnchorKeyOptions & { readonly out?: string }) => {
      const { withStore, output, terminal } = context()
      const key = await anchorKeyOf(options, terminal)
      await withStore(async (store) => {
        const made = await makeAnchor({ store, clock: terminal.clock }, key === undefined ? {} : { key })
        if (out !== undefined) await appendAnchor(out, made.jws)
        output.result(made, () => (out === undefined ? made.jws : `${textOf(made)}: added to ${out}`))
        if (!store.segments) output.note('This store has no chain: the anchor knows its last commit alone.')
      })
    })
}

function textOf({ segment, last }: SignedAnchor): string {
  const chain = segment ? `the chain up to #${segment.to}` : 'no chain yet'
  return `anchor of ${chain}, ${last ? `the last commit #${last.position}` : 'an empty log'}`
}
