const line = document.getElementById('status')

/** Says what came of something, to eyes and to screen readers. */
export function say(...parts) {
  line.dataset.tone = 'good'
  line.replaceChildren(...parts)
}

/** Does something that may be refused, and says why it was. */
export async function orSay(work) {
  try {
    return await work()
  } catch (error) {
    line.dataset.tone = 'bad'
    line.replaceChildren(error instanceof TypeError ? 'The OP does not answer. Try again.' : error.message)
    return undefined
  }
}

export function clear() {
  line.replaceChildren()
}
