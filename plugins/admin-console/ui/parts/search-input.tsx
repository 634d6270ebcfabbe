import { Icon } from './icon.tsx'

interface SearchInputProps {
  readonly id: string
  readonly text: string
  readonly placeholder?: string | undefined
  /** `/` leads here. */
  readonly isMain?: boolean | undefined
  readonly onText: (text: string) => void
  readonly onEnter?: (text: string) => void
}

/** A field for ids and words to search for: browsers neither correct nor remember them. */
export function SearchInput({ id, text, placeholder, isMain, onText, onEnter }: SearchInputProps) {
  return (
    <div class="search-box">
      <Icon name="search" />
      <input
        id={id}
        type="search"
        autocomplete="off"
        spellcheck={false}
        placeholder={placeholder}
        maxLength={1000}
        value={text}
        data-search={isMain}
        onInput={({ currentTarget }) => onText(currentTarget.value)}
        onKeyDown={({ key, currentTarget }) => {
          if (key === 'Enter') onEnter?.(currentTarget.value)
        }}
      />
    </div>
  )
}
