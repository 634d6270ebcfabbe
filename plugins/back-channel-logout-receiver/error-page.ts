/**
 * The page of an error's code: how it comes, and what to do. A file of the installed package, below `node_modules`, as
 * long as the documentation has no address.
 */
export function pageOf(code: string): string {
  return `oidc-provider-eventstore/docs/errors/${code}.md`
}
