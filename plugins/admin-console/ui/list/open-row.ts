import { navigate, place, withQuery } from '../routing/location.ts'

/** Opens a row of the list, or closes the one that is open. The page of the list stays. */
export function changeOpen(key: string | undefined): void {
  navigate(withQuery({ open: key }), { replace: true, trail: place.peek().trail })
}
