import type { Command, Option } from 'commander'

/** As long as the ids of the provider are, and longer than the names of options. */
const DASHED_ID = /^-[\w-]{20,}$/

/**
 * Moves ids that begin with a dash behind `--`. The provider's ids are base64url: one of 64 begins with a dash, and would be
 * read as an option. The value of an option stays where it is.
 */
export function dashedIdsLast(args: readonly string[], program: Command): string[] {
  const options = new Map(
    optionsOf(program).flatMap((option) => [option.short, option.long].map((flag) => [flag, option])),
  )
  const end = args.indexOf('--')
  const before = end === -1 ? args : args.slice(0, end)
  const after = end === -1 ? [] : args.slice(end + 1)
  const rest: string[] = []
  const ids: string[] = []
  let isValue = false
  for (const arg of before) {
    if (!isValue && DASHED_ID.test(arg) && !options.has(arg)) ids.push(arg)
    else rest.push(arg)
    isValue = !isValue && options.get(arg)?.required === true
  }
  return ids.length === 0 ? [...args] : [...rest, '--', ...ids, ...after]
}

function optionsOf(command: Command): Option[] {
  return [...command.options, ...command.commands.flatMap(optionsOf)]
}
