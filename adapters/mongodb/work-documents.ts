import type { JsonObject } from '../../lib/log/commit.ts'
import type { Work } from '../../lib/log/work-table.ts'
import type { WorkDocument } from './documents.ts'

export function workOf({ _id, lane, dueAt, deadline, since, body, holder, fence, doneAt }: WorkDocument): Work {
  return {
    id: _id,
    lane,
    dueAt,
    ...(deadline !== undefined && { deadline }),
    ...(since !== undefined && { since }),
    body: body as JsonObject,
    ...(holder !== undefined && { holder }),
    fence,
    ...(doneAt !== undefined && { doneAt }),
  }
}
