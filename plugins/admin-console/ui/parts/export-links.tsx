import { apiUrl, type Query } from '../server/request.ts'

/** Leads to the list as a file, with the filter that is shown. */
export function ExportLinks({ list, query }: { readonly list: 'dead-letters' | 'pending'; readonly query: Query }) {
  return (
    <>
      {(['csv', 'json'] as const).map((format) => (
        <a
          key={format}
          class="button"
          href={apiUrl(`/export/${list}`, { ...query, format })}
          download={`${list}.${format}`}
        >
          {format.toUpperCase()}
          <span class="visually-hidden"> export of the list</span>
        </a>
      ))}
    </>
  )
}
