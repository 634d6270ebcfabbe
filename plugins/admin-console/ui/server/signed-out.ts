import { type Signal, signal } from '@preact/signals'

/** The last answer said that nobody is signed in: the application's own session has ended. */
export const isSignedOut: Signal<boolean> = signal(false)
