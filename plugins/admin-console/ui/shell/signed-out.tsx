import { Icon } from '../parts/icon.tsx'
import { isSignedOut } from '../server/signed-out.ts'

/** Above everything, once the application's own sign-in is over. What was shown stays, to be read. */
export function SignedOut() {
  if (!isSignedOut.value) return null
  return (
    <p class="notice bad" role="alert">
      <Icon name="warning" />
      <span>You are signed out: what is shown is not up to date any more.</span>
      <button type="button" class="small" onClick={() => location.reload()}>
        Sign in again
      </button>
    </p>
  )
}
