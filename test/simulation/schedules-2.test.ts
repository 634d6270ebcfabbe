import { theyKeepTheInvariants } from './schedules-kept.ts'

theyKeepTheInvariants({ from: 3_201, seeds: 3_200 })
