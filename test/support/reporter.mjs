import mocha from 'mocha'

/**
 * mocha's own report, and after everything else, the global teardown included, the line that CI reads:
 * `N passed, N failed, N skipped`.
 */
export default class CountingSpec extends mocha.reporters.Spec {
  #done = false

  constructor(runner, options) {
    super(runner, options)
    process.on('exit', () => this.#failWhenCutShort())
  }

  /** mocha calls this last. `failures` counts what no test stands for: a failed global setup or teardown. */
  done(failures, exit) {
    this.#done = true
    this.#count(failures)
    exit(failures)
  }

  /** A process that nothing keeps alive any more ends without a word and with code 0, whatever its tests wait for. */
  #failWhenCutShort() {
    if (this.#done) return
    process.stdout.write('\nThe run ended before its tests did.\n')
    this.#count(1)
    process.exitCode ||= 1
  }

  #count(failures) {
    const { passes = 0, failures: failed = 0, pending = 0 } = this.stats ?? {}
    process.stdout.write(`${passes} passed, ${Math.max(failed, failures)} failed, ${pending} skipped\n`)
  }
}
