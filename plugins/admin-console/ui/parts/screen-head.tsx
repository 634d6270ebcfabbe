import type { ComponentChildren } from 'preact'
import { useEffect } from 'preact/hooks'

interface ScreenHeadProps {
  readonly title: string
  readonly hint?: ComponentChildren
  /** Buttons of the whole screen. */
  readonly children?: ComponentChildren
}

/** The heading of a screen, which is also the title of the window. */
export function ScreenHead({ title, hint, children }: ScreenHeadProps) {
  useEffect(() => {
    document.title = `${title} · Operators’ console`
  }, [title])
  return (
    <header class="screen-head">
      <div>
        <h1 tabIndex={-1}>{title}</h1>
        {hint !== undefined && <p class="hint">{hint}</p>}
      </div>
      {children !== undefined && <div class="buttons">{children}</div>}
    </header>
  )
}
