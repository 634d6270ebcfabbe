// Keeps the parts of a page that are marked `data-live` as the server would render them now. Without JavaScript the
// page is the same, and a reload brings it up to date.

const { updates } = document.querySelector('script[data-updates]').dataset
const page = document.documentElement
const source = new EventSource(updates)

// What changed before the stream was open, or while it was interrupted, was not announced: look once at each opening.
source.addEventListener('open', () => {
  page.dataset.connection = 'live'
  void refresh()
})
source.addEventListener('error', () => {
  page.dataset.connection = 'lost' // the browser tries again by itself
})
source.addEventListener('changed', refresh)

let refreshing = false
let again = false

/** One at a time: of the changes meanwhile only the newest state counts. */
async function refresh() {
  again = true
  if (refreshing) return
  refreshing = true
  while (again) {
    again = false
    await replaceParts().catch(() => {}) // the stream notices as well, and says so
  }
  refreshing = false
}

async function replaceParts() {
  const response = await fetch(location.href, { headers: { accept: 'text/html' }, cache: 'no-store' })
  if (!response.ok) return
  const fresh = new DOMParser().parseFromString(await response.text(), 'text/html')
  for (const part of document.querySelectorAll('[data-live]')) {
    const replacement = fresh.getElementById(part.id)
    if (replacement === null || replacement.innerHTML === part.dataset.shown) continue
    const known = new Set(Array.from(part.querySelectorAll('[data-key]'), ({ dataset }) => dataset.key))
    part.dataset.shown = replacement.innerHTML
    part.replaceChildren(...replacement.childNodes)
    for (const item of part.querySelectorAll('[data-key]')) {
      if (!known.has(item.dataset.key)) item.classList.add('fresh')
    }
  }
  document.title = fresh.title
  countDown()
}

function countDown() {
  for (const time of document.querySelectorAll('time[data-countdown]')) {
    const seconds = Math.ceil((Date.parse(time.dateTime) - Date.now()) / 1000)
    time.textContent = seconds > 0 ? `in ${seconds} s` : 'any moment'
  }
}
setInterval(countDown, 500)
