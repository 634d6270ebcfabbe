/**
 * An element. Text is text, whoever wrote it: strings become text nodes, never HTML. Attributes that begin with `on` take
 * functions, and never text.
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue
    if (name.startsWith('on')) made.addEventListener(name.slice(2), value)
    else made.setAttribute(name, value === true ? '' : String(value))
  }
  for (const child of children.flat(Number.POSITIVE_INFINITY)) {
    if (child === undefined || child === false) continue
    made.append(child instanceof Node ? child : String(child))
  }
  return made
}

export function button(label, act, attributes = {}) {
  return element('button', { type: 'button', ...attributes, onclick: act }, label)
}

/** Names that nobody can read are shown by their beginning, and whole where one points at them. */
export function short(id) {
  return element('code', { title: id }, id.length > 13 ? `${id.slice(0, 12)}…` : id)
}

/** `1 session`, `2 sessions`. */
export function count(number, one, many = `${one}s`) {
  return `${number} ${number === 1 ? one : many}`
}
