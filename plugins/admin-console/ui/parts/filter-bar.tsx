import { useSignal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { useEffect, useId, useRef } from 'preact/hooks'
import { after } from '../browser/clock.ts'
import { changeQuery, place } from '../routing/location.ts'
import { SearchInput } from './search-input.tsx'

/** So long typing pauses until it is searched, in milliseconds. */
const PAUSE_MS = 350

export function FilterBar({ children, label }: { readonly children: ComponentChildren; readonly label: string }) {
  return (
    <search class="filters" aria-label={label}>
      {children}
    </search>
  )
}

interface SearchFieldProps {
  /** The parameter of the query that it sets. */
  readonly name: string
  readonly label: string
  readonly placeholder?: string
  /** `/` leads here. */
  readonly isMain?: boolean
}

/** Text to search for: kept in the URL, changed as soon as typing pauses. */
export function SearchField({ name, label, placeholder, isMain }: SearchFieldProps) {
  const inPlace = place.value.query.get(name) ?? ''
  const text = useSignal(inPlace)
  const asked = useRef(inPlace)
  const stop = useRef(() => {})
  const id = useId()
  useEffect(() => {
    if (inPlace !== asked.current) {
      // The browser's back button: what was being typed is not searched for any more.
      stop.current()
      text.value = inPlace
    }
    asked.current = inPlace
  }, [inPlace, text])
  useEffect(() => () => stop.current(), [])
  const search = (value: string) => {
    stop.current()
    asked.current = value.trim()
    if (value.trim() !== (place.peek().query.get(name) ?? ''))
      changeQuery({ [name]: value.trim() }, { replace: inPlace !== '' })
  }
  return (
    <div class="field grow">
      <label for={id}>{label}</label>
      <SearchInput
        id={id}
        placeholder={placeholder}
        text={text.value}
        isMain={isMain}
        onText={(value) => {
          text.value = value
          stop.current()
          stop.current = after(PAUSE_MS, () => search(value))
        }}
        onEnter={search}
      />
    </div>
  )
}

interface ChoiceFieldProps {
  readonly name: string
  readonly label: string
  /** Values and their texts; the empty value, which stands first, is no filter. */
  readonly choices: readonly (readonly [value: string, text: string])[]
}

export function ChoiceField({ name, label, choices }: ChoiceFieldProps) {
  const id = useId()
  const value = place.value.query.get(name) ?? ''
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select id={id} value={value} onChange={({ currentTarget }) => changeQuery({ [name]: currentTarget.value })}>
        {choices.map(([choice, text]) => (
          <option key={choice} value={choice} selected={choice === value}>
            {text}
          </option>
        ))}
      </select>
    </div>
  )
}

/** Since when: the URL holds how long ago, so that a bookmark stays of use. */
export function SinceField() {
  return (
    <ChoiceField
      name="within"
      label="Within"
      choices={[
        ['', 'Any time'],
        ['1h', 'The last hour'],
        ['24h', 'The last 24 hours'],
        ['7d', 'The last 7 days'],
        ['30d', 'The last 30 days'],
      ]}
    />
  )
}

const HOUR_MS = 3_600_000
const WITHIN_MS: Readonly<Record<string, number>> = {
  '1h': HOUR_MS,
  '24h': 24 * HOUR_MS,
  '7d': 7 * 24 * HOUR_MS,
  '30d': 30 * 24 * HOUR_MS,
}

/** The time that "within" means, to the minute, so that the same list stays the same question for a while. */
export function sinceOf(within: string | undefined, now: number): number | undefined {
  const ms = within === undefined || !Object.hasOwn(WITHIN_MS, within) ? undefined : WITHIN_MS[within]
  return ms === undefined ? undefined : Math.floor((now - ms) / 60_000) * 60_000
}
