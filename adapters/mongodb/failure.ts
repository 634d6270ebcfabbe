/** What a command threw; undefined when it returned. */
export async function failureOf(command: Promise<unknown>): Promise<unknown> {
  try {
    await command
    return undefined
  } catch (error) {
    return error ?? new Error('unknown failure')
  }
}
