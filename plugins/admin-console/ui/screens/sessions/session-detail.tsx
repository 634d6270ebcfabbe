import type { LiveSession } from 'oidc-provider-eventstore/plugins/back-channel-logout'
import { Chip } from '../../parts/chip.tsx'
import { CopyId } from '../../parts/copy-id.tsx'
import { ClientLink, logoutPath } from '../../parts/links.tsx'
import { Pairs } from '../../parts/pairs.tsx'
import { exactTime } from '../../parts/time-text.ts'
import { hrefOf } from '../../routing/location.ts'

/** A session with each of its logins. */
export function SessionDetail({ session }: { readonly session: LiveSession }) {
  const { uid, since, expiresAt, logins } = session
  return (
    <div class="detail">
      <Pairs
        rows={[
          ['Session uid', <CopyId id={uid} what="session uid" />],
          ['Began', since === undefined ? 'unknown' : exactTime(since)],
          ['Expires', expiresAt === undefined ? 'never' : exactTime(expiresAt)],
        ]}
      />
      {logins.length === 0 ? (
        <p class="hint">No RP has a login of it.</p>
      ) : (
        <table class="plain">
          <caption class="visually-hidden">Logins of the session</caption>
          <thead>
            <tr>
              <th scope="col">RP</th>
              <th scope="col">sid</th>
              <th scope="col">Back-channel logout</th>
            </tr>
          </thead>
          <tbody>
            {logins.map(({ clientId, sid, hasBackchannelLogout }) => (
              <tr key={`${clientId} ${sid}`}>
                <td>
                  <ClientLink id={clientId} />
                </td>
                <td>
                  <CopyId id={sid} what="sid" />
                </td>
                <td>
                  <Chip
                    tone={hasBackchannelLogout ? 'good' : 'quiet'}
                    text={hasBackchannelLogout ? 'is told' : 'is not told'}
                  />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <a href={hrefOf(logoutPath(uid))}>Timeline of this session</a>
    </div>
  )
}
