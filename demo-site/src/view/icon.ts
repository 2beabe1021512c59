// Owns the line icons. All are 24 × 24 and take the colour of the text around them.
const paths = {
  menu: 'M4 7h16M4 12h16M4 17h16',
  close: 'M6 6l12 12M18 6L6 18',
  search: 'M11 4a7 7 0 1 1 0 14a7 7 0 0 1 0-14zM16.2 16.2L20.5 20.5',
  cart: 'M6.5 8.5h11l1.2 11.5H5.3zM9 8.5V7a3 3 0 0 1 6 0v1.5',
  left: 'M14.5 5.5L8 12l6.5 6.5',
  right: 'M9.5 5.5L16 12l-6.5 6.5',
  plus: 'M12 5.5v13M5.5 12h13',
  minus: 'M5.5 12h13',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  truck: 'M3 6.5h11v10H3zM14 10h4l3 3.5v3h-7M7 16.5a2 2 0 1 0 .01 0M17.5 16.5a2 2 0 1 0 .01 0',
  back: 'M9 6L4.5 10.5L9 15M4.5 10.5H14a5.5 4.5 0 0 1 0 9h-3',
  wrench: 'M14.5 6.5a4.5 4.5 0 0 1 5.5-.5l-3 3 .5 1.5 1.5.5 3-3a4.5 4.5 0 0 1-6 5.5L8.5 21a2 2 0 0 1-3-3l7.5-7.5a4.5 4.5 0 0 1 1.5-4z',
  lock: 'M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3',
} as const;

export type IconName = keyof typeof paths;

export const icon = (name: IconName): string =>
  `<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d="${paths[name]}" fill="none" stroke="currentColor" stroke-width="1.7" stroke-linecap="round" stroke-linejoin="round"/></svg>`;
