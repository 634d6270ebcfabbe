'use strict'
// Runs a program that `bundledProgram()` has made, and keeps what was compiled for those that start it later: to compile
// it takes as long as all else that it does until it is there.
const { readFileSync, renameSync, writeFileSync } = require('node:fs')
const { constants, Script } = require('node:vm')

/** What the program does in its first seconds is compiled by then, too. */
const FIRST_SECONDS_MS = 2_000
/** As Node ends where a module waits for something that never comes. */
const UNSETTLED = 13

/**
 * @param {string} file - of the program, without its ending
 * @param {{ hash: string, isAscii: boolean }} about - its text: what is ASCII is read, and kept, in half the space
 * @param {NodeJS.Require} require - what it requires lies where this one looks
 */
module.exports = function start(file, { hash, isAscii }, require) {
  const kept = read(`${file}.compiled`)
  const isOfThisText = kept?.subarray(0, hash.length).toString('latin1') === hash
  const script = new Script(readFileSync(`${file}.js`, isAscii ? 'latin1' : 'utf8'), {
    filename: `${file}.js`,
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    ...(isOfThisText && { cachedData: kept.subarray(hash.length) }),
  })
  const keep = () => put(`${file}.compiled`, Buffer.concat([Buffer.from(hash, 'latin1'), script.createCachedData()]))
  const isNew = !isOfThisText || script.cachedDataRejected
  if (isNew) setTimeout(keep, FIRST_SECONDS_MS).unref()
  const unsettled = () => process.exit(UNSETTLED)
  process.once('beforeExit', unsettled)
  void script
    .runInThisContext()(require)
    .then(() => {
      process.off('beforeExit', unsettled)
      if (isNew) keep()
    })
}

function read(path) {
  try {
    return readFileSync(path)
  } catch {
    return undefined // nobody has started it yet
  }
}

/** Whole or not at all: two processes may do it at once. */
function put(path, data) {
  try {
    writeFileSync(`${path}.${process.pid}`, data)
    renameSync(`${path}.${process.pid}`, path)
  } catch {
    // It costs time, and nothing else. Where no file can be opened the test wants that.
  }
}
