import { theyKeepTheInvariants } from './schedules-kept.ts'

theyKeepTheInvariants({ from: 6_001, seeds: 3_000 })
