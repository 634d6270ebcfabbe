/** Does something with each item, so many at a time. After an error nothing more is begun; rejects with the first one. */
export async function inParallel<T>(
  items: readonly T[],
  most: number,
  work: (item: T) => Promise<unknown>,
): Promise<void> {
  const left = items.values()
  let hasFailed = false
  const walk = async (): Promise<void> => {
    for (const item of left) {
      if (hasFailed) return
      await work(item).catch((error: unknown) => {
        hasFailed = true
        throw error
      })
    }
  }
  const results = await Promise.allSettled(Array.from({ length: Math.min(most, items.length) }, walk))
  const failed = results.find((result) => result.status === 'rejected')
  if (failed) throw failed.reason
}
