import type { LiveSession } from 'oidc-provider-eventstore/plugins/back-channel-logout'
import { Chip } from '../../parts/chip.tsx'
import { CopyId } from '../../parts/copy-id.tsx'
import { ClientLink, logoutPath } from '../../parts/links.tsx'
import { exactTime } from '../../parts/time-text.ts'
import { hrefOf } from '../../routing/location.ts'

/** A session with each of its logins. */
export function SessionDetail({ session }: { readonly session: LiveSession }) {
  const { uid, since, expiresAt, logins } = session
  return (
    <div class="detail">
      <dl class="pairs">
        <dt>Session uid</dt>
        <dd>
          <CopyId id={uid} what="session uid" />
        </dd>
        <dt>Began</dt>
        <dd>{since === undefined ? 'unknown' : exactTime(since)}</dd>
        <dt>Expires</dt>
        <dd>{expiresAt === undefined ? 'never' : exactTime(expiresAt)}</dd>
      </dl>
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
