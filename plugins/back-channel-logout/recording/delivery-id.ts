/** The name of a delivery, derived from the log, so that planning it twice makes it once: position, event, part. */
export function deliveryIdOf(position: number, event: number, part: number): string {
  return `${position}/${event}.${part}`
}

/** The position of the session end that a delivery is owed for. */
export function positionOfEnd(delivery: string): number {
  return Number(delivery.split('/', 1)[0])
}
