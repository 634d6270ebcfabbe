import { theyKeepTheInvariants } from './schedules-kept.ts'

theyKeepTheInvariants({ from: 3_001, seeds: 3_000 })
