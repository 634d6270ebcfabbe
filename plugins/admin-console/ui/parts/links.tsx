import { hrefOf } from '../routing/location.ts'

/** Leads to the page of an RP. */
export function ClientLink({ id, isRow }: { readonly id: string; readonly isRow?: boolean }) {
  return (
    <a class="id-link" href={hrefOf(clientPath(id))} {...(isRow && { 'data-row': true })}>
      {id}
    </a>
  )
}

export function clientPath(id: string): string {
  return pathWith('/clients/one', { client: id })
}

/** Where the logout of a session is told. */
export function logoutPath(sessionUid: string): string {
  return pathWith('/logouts/one', { session: sessionUid })
}

/** A place of the console with a query. */
export function pathWith(path: string, query: Readonly<Record<string, string>>): string {
  return `${path}?${new URLSearchParams(query)}`
}
