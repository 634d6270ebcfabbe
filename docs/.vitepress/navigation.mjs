import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const docs = fileURLToPath(new URL('..', import.meta.url))

/** What the site shows at its side, and `llms.txt` lists. A page that is not there is left out. */
const SECTIONS = [
  {
    text: 'Start',
    items: [
      ['Five minutes', 'start.md'],
      ['How it works', 'architecture.md'],
      ['Questions', 'faq.md'],
      ['Glossary', 'glossary.md'],
    ],
  },
  {
    text: 'OP teams',
    items: [
      ['The provider on the log', 'guides/provider.md'],
      ['Koa', 'op/koa.md'],
      ['Express', 'op/express.md'],
      ['Fastify', 'op/fastify.md'],
      ['Nest', 'op/nest.md'],
      ['Behind a proxy', 'op/proxy.md'],
      ['CommonJS', 'op/commonjs.md'],
      ['Back-channel logout', 'guides/back-channel-logout.md'],
      ['Devices and connected apps', 'guides/account-sessions.md'],
      ['Moving in', 'guides/moving-in.md'],
      ['Leaving', 'guides/leaving.md'],
      ['Upgrading', 'upgrading.md'],
      ['Compatibility', 'compatibility.md'],
      ['Supported versions', 'support.md'],
    ],
  },
  {
    text: 'RP teams',
    items: [
      ['The receiver', 'guides/receiver.md'],
      ['Products as RPs', 'relying-parties.md'],
    ],
  },
  {
    text: 'Operators',
    items: [
      ['Runbook', 'runbook.md'],
      ['Troubleshooting', 'troubleshooting.md'],
      ['The command line', 'guides/command-line.md'],
      ["The operators' console", 'guides/admin-console.md'],
      ['Monitoring', 'guides/monitoring.md'],
      ['Telemetry', 'guides/telemetry.md'],
      ['Log lines', 'logging.md'],
      ['Retention', 'guides/retention.md'],
      ['Keys', 'guides/keys.md'],
      ['Least privilege and TLS', 'guides/least-privilege.md'],
      ['Forgetting an account', 'guides/forgetting.md'],
      ['Error codes', 'errors/README.md'],
    ],
  },
  {
    text: 'Security reviewers',
    items: [
      ['Where to look', 'security-review.md'],
      ['Threat model', 'threat-model.md'],
      ['Conformance', 'conformance.md'],
      ['Reporting', 'project/security.md'],
    ],
  },
  {
    text: 'In depth',
    items: [
      ['Guarantees', 'guarantees.md'],
      ['Performance', 'performance.md'],
      ['Benchmarks', 'benchmarks/README.md'],
      ['The event log', 'event-log.md'],
      ['Event schema', 'event-schema.md'],
      ['Decisions', 'decisions/README.md'],
      ['Reference', 'reference/index.md'],
    ],
  },
  {
    text: 'Project',
    items: [
      ['Changelog', 'project/changelog.md'],
      ['Contributing', 'project/contributing.md'],
      ['The example', 'project/example.md'],
    ],
  },
]

/** The sections, with the pages that are there: `page` is relative to `docs/`. */
export const sections = SECTIONS.map(({ text, items }) => ({
  text,
  items: items.filter(([, page]) => existsSync(join(docs, page))).map(([title, page]) => ({ text: title, page })),
}))

export const sidebar = sections.map(({ text, items }) => ({
  text,
  collapsed: false,
  items: items.map((item) => ({ text: item.text, link: addressOf(item.page) })),
}))

export function addressOf(page) {
  return `/${page.replace(/(^|\/)(README|index)\.md$/, '$1').replace(/\.md$/, '')}`
}
