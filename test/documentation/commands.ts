const PROGRAM = 'npx oidc-provider-eventstore '

/** The commands in the blocks of shell of a page, each as the words that a shell makes of it. Variables stay as they are. */
export function commandsOf(markdown: string): string[][] {
  return [...markdown.matchAll(/^ *```sh\n([\s\S]*?)^ *```/gm)].flatMap(([, block = '']) =>
    block.split('\n').flatMap((line) =>
      line
        .split(/&&|\|\||\$\(|\|(?!\|)/)
        .filter((part) => part.includes(PROGRAM))
        .map((part) => wordsOf(part.slice(part.indexOf(PROGRAM) + PROGRAM.length))),
    ),
  )
}

/** The words of a command, without what redirects it, or comments on it. */
function wordsOf(command: string): string[] {
  const [line = ''] = command.split(/\s[>#\\]|\)$|;/)
  return [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(
    ([, single, double, bare]) => single ?? double ?? bare ?? '',
  )
}
