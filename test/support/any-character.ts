import fc from 'fast-check'

const isSurrogate = (code: number): boolean => code >= 0xd800 && code <= 0xdfff

/**
 * Any character of Unicode: the `unit` of a string that is well-formed. fast-check's own one, `binary`, keeps a table of all
 * million of them, in each process.
 */
export const anyCharacter: fc.Arbitrary<string> = fc
  .integer({ min: 0, max: 0x10ffff })
  .filter((code) => !isSurrogate(code))
  .map(
    (code) => String.fromCodePoint(code),
    (character) => {
      const code = typeof character === 'string' ? character.codePointAt(0) : undefined
      if (code === undefined || String.fromCodePoint(code) !== character) throw new Error('not one character')
      return code
    },
  )
