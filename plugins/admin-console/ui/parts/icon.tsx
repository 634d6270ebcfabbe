/** Shapes of 16 by 16, drawn with the colour of the text. They stand beside words, and are hidden from screen readers. */
const SHAPES = {
  check: 'M3.5 8.5l3 3 6-7',
  cross: 'M4.5 4.5l7 7M11.5 4.5l-7 7',
  warning: 'M8 2.5l6 11H2zM8 7v3M8 11.9v.1',
  clock: 'M8 2.2a5.8 5.8 0 1 0 .01 0zM8 5v3.2l2 1.4',
  pause: 'M5.8 4v8M10.2 4v8',
  dash: 'M4 8h8',
  arrow: 'M3.5 8h9M9 4.5L12.5 8 9 11.5',
  chevron: 'M6 3.5L10.5 8 6 12.5',
  back: 'M12.5 8h-9M7 4.5L3.5 8 7 11.5',
  copy: 'M6 5.5h6.5v8H6zM3.5 10.5v-8h6.5',
  search: 'M7 2.8a4.2 4.2 0 1 0 .01 0zM10.2 10.2l3.3 3.3',
  menu: 'M2.5 4.5h11M2.5 8h11M2.5 11.5h11',
  replay: 'M13 8a5 5 0 1 1-1.6-3.7M13 2.5v3h-3',
  plug: 'M5.5 2.5v3M10.5 2.5v3M4 5.5h8v2.2a4 4 0 0 1-8 0zM8 11.7v2.3',
  skip: 'M3 4l5 4-5 4zM8.5 4l5 4-5 4z',
  dot: 'M8 6.5a1.5 1.5 0 1 0 .01 0z',
} as const

export type IconName = keyof typeof SHAPES

export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg
      class="icon"
      viewBox="0 0 16 16"
      width="16"
      height="16"
      aria-hidden="true"
      fill="none"
      stroke="currentColor"
      stroke-width="1.6"
      stroke-linecap="round"
      stroke-linejoin="round"
    >
      <path d={SHAPES[name]} />
    </svg>
  )
}
