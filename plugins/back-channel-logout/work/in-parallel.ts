/** Does something with each item, so many at a time. Rejects with the first error, once what has begun is done. */
export async function inParallel<T>(
  items: readonly T[],
  most: number,
  work: (item: T) => Promise<unknown>,
): Promise<void> {
  const left = items.values()
  const results = await Promise.allSettled(
    Array.from({ length: Math.min(most, items.length) }, async () => {
      for (const item of left) await work(item)
    }),
  )
  const failed = results.find((result) => result.status === 'rejected')
  if (failed) throw failed.reason
}
