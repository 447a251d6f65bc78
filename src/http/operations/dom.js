/** The page's elements: made of text only, never of markup, so nothing that comes from outside can become a part of the page. */

/** @typedef {string | number | Node | undefined | readonly Child[]} Child */

const SVG = 'http://www.w3.org/2000/svg'
const SVG_TAGS = new Set(['svg', 'polyline', 'rect', 'title'])

/**
 * @param {string} tag
 * @param {Record<string, string | number | boolean | undefined | (() => unknown)>} properties Attributes; `action` is called when it is clicked.
 * @param {...Child} children
 */
export function h(tag, properties, ...children) {
  const element = SVG_TAGS.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag)
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === false) continue
    if (typeof value === 'function') element.action = value
    else element.setAttribute(name, value === true ? '' : String(value))
  }
  for (const child of children.flat(Infinity)) if (child !== undefined) element.append(child)
  return element
}

/**
 * Makes what is shown like what should be shown and leaves alone what is the same: whoever reads, types or has moved the focus there is not disturbed.
 *
 * @param {Element} shown
 * @param {Element} wanted
 */
export function update(shown, wanted) {
  shown.action = wanted.action
  for (const name of shown.getAttributeNames())
    if (!wanted.hasAttribute(name) && name !== 'open') shown.removeAttribute(name)
  for (const { name, value } of wanted.attributes)
    if (shown.getAttribute(name) !== value) shown.setAttribute(name, value)
  const [before, after] = [[...shown.childNodes], [...wanted.childNodes]]
  for (const [index, child] of after.entries()) {
    const old = before[index]
    if (old === undefined) shown.append(child)
    else if (old.nodeType === Node.TEXT_NODE && child.nodeType === Node.TEXT_NODE) {
      if (old.data !== child.data) old.data = child.data
    } else if (isLike(old, child)) update(old, child)
    else old.replaceWith(child)
  }
  for (const old of before.slice(after.length)) old.remove()
}

/** @param {Node} one @param {Node} other */
function isLike(one, other) {
  return one instanceof Element && other instanceof Element && one.tagName === other.tagName && one.id === other.id
}

/** Clicks reach the `action` of what was clicked, also when it came into the page later. */
export function listen() {
  document.addEventListener('click', ({ target }) => {
    const button = target instanceof Element ? target.closest('button') : null
    if (typeof button?.action === 'function') button.action()
  })
}
