import type { ComponentChildren } from 'preact'
import type { Failure } from '../server/failure.ts'
import { Icon } from './icon.tsx'
import { sentence } from './sentence.ts'

/** While nothing is there yet: as tall as some rows, so that little moves when they come. */
export function Loading({ what }: { readonly what: string }) {
  return (
    <div class="state loading" role="status">
      <span class="visually-hidden">Loading {what}</span>
      <div class="skeleton" />
      <div class="skeleton" />
      <div class="skeleton" />
    </div>
  )
}

export function Empty({ title, children }: { readonly title: string; readonly children?: ComponentChildren }) {
  return (
    <div class="state empty">
      <p class="state-title">{title}</p>
      {children}
    </div>
  )
}

const TITLES: Readonly<Record<Failure['kind'], string>> = {
  offline: 'The server cannot be reached',
  signedOut: 'You are signed out',
  forbidden: 'You may not see this',
  notFound: 'There is no such thing',
  refused: 'The server refused this',
  failed: 'The server could not answer',
}

/** In place of what could not be asked for. */
export function Failing({ failure, retry }: { readonly failure: Failure; readonly retry: () => void }) {
  return (
    <div class="state failing" role="alert">
      <p class="state-title">
        <Icon name="warning" />
        {TITLES[failure.kind]}
      </p>
      <p>{sentence(failure)}</p>
      {failure.kind === 'signedOut' ? (
        <button type="button" onClick={() => location.reload()}>
          Sign in again
        </button>
      ) : (
        <button type="button" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  )
}

/** Above what is shown, and could not be brought up to date. */
export function Outdated({ failure, retry }: { readonly failure: Failure; readonly retry: () => void }) {
  return (
    <p class="notice warn" role="status">
      <Icon name="warning" />
      <span>This is not up to date. {sentence(failure)}</span>
      <button type="button" class="small" onClick={retry}>
        Try again
      </button>
    </p>
  )
}
