import { useSignal } from '@preact/signals'
import { useEffect, useId } from 'preact/hooks'
import { FilterBar } from '../../parts/filter-bar.tsx'
import { SearchInput } from '../../parts/search-input.tsx'
import { changeQuery } from '../../routing/location.ts'

interface SessionFilterProps {
  readonly account: string | undefined
  readonly client: string | undefined
}

/** Whose sessions. An account and an RP are looked up as a whole: an index finds them among any number. */
export function SessionFilter({ account, client }: SessionFilterProps) {
  const by = useSignal<'account' | 'client'>(client === undefined ? 'account' : 'client')
  const text = useSignal(account ?? client ?? '')
  const ids = { by: useId(), text: useId() }
  useEffect(() => {
    if (account !== undefined || client !== undefined) by.value = client === undefined ? 'account' : 'client'
    text.value = account ?? client ?? ''
  }, [account, client, by, text])
  const isFiltered = account !== undefined || client !== undefined
  const show = (value: string) =>
    changeQuery({ account: undefined, client: undefined, open: undefined, [by.value]: value.trim() })
  return (
    <FilterBar label="Whose sessions">
      <form
        class="filter-form"
        onSubmit={(event) => {
          event.preventDefault()
          show(text.value)
        }}
      >
        <div class="field">
          <label for={ids.by}>By</label>
          <select
            id={ids.by}
            value={by.value}
            onChange={({ currentTarget }) => {
              by.value = currentTarget.value === 'client' ? 'client' : 'account'
            }}
          >
            <option value="account">Account</option>
            <option value="client">RP</option>
          </select>
        </div>
        <div class="field grow">
          <label for={ids.text}>{by.value === 'account' ? 'Account id' : 'Client id'}</label>
          <SearchInput
            id={ids.text}
            placeholder="A whole id; empty: all sessions"
            text={text.value}
            isMain
            onText={(value) => {
              text.value = value
            }}
          />
        </div>
        <button type="submit" class="primary">
          Show
        </button>
        {isFiltered && (
          <button type="button" onClick={() => show('')}>
            All sessions
          </button>
        )}
      </form>
    </FilterBar>
  )
}
