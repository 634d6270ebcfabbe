import { theyKeepTheInvariants } from './schedules-kept.ts'

theyKeepTheInvariants({ from: 1, seeds: 3_200 })
