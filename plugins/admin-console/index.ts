export { AdminConsole, adminConsole } from './admin-console.ts'
export type { AdminConsoleOptions, ClientDirectory, Operator } from './options.ts'
