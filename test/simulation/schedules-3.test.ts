import { theyKeepTheInvariants } from './schedules-kept.ts'

theyKeepTheInvariants({ from: 6_401, seeds: 3_200 })
