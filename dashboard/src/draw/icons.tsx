// The icons, drawn on a 16-pixel grid with one stroke width. All are decoration beside text.

import type { JSX } from "solid-js";

const PATHS = {
  page_view: "M4 1.75h5.5L12.25 4.5v9.75H4zM9 2v3h3",
  press: "M6 8.5V3a1.25 1.25 0 0 1 2.5 0v4l3.4.9a1.5 1.5 0 0 1 1.1 1.7l-.6 3.2a2 2 0 0 1-2 1.5H7.6a2 2 0 0 1-1.6-.8L3.2 9.9a1.1 1.1 0 0 1 1.6-1.5z",
  scroll: "M8 1.75v12.5M4.75 5 8 1.75 11.25 5M4.75 11 8 14.25 11.25 11",
  swipe: "M1.75 8h12.5M11 4.75 14.25 8 11 11.25",
  custom: "M8 1.75 9.8 6l4.45.4-3.4 2.95 1 4.4L8 11.4l-3.85 2.35 1-4.4-3.4-2.95L6.2 6z",
  conversion: "M2.25 8.5 6 12.25 13.75 4",
  exposure: "M2.25 2.25h5v11.5h-5zM8.75 2.25h5v11.5h-5",
  alert: "M8 2 14.5 13.5h-13zM8 6.5v3.25M8 11.6v.01",
  desktop: "M1.75 2.75h12.5v8H1.75zM5.5 13.75h5M8 10.75v3",
  tablet: "M3.25 1.75h9.5v12.5h-9.5zM7.25 12h1.5",
  phone: "M4.75 1.75h6.5v12.5h-6.5zM7.25 12h1.5",
  other: "M3.25 8h.01M8 8h.01M12.75 8h.01",
  sun: "M8 5.25a2.75 2.75 0 1 1 0 5.5 2.75 2.75 0 0 1 0-5.5zM8 1v1.25M8 13.75V15M1 8h1.25M13.75 8H15M3.05 3.05l.9.9M12.05 12.05l.9.9M3.05 12.95l.9-.9M12.05 3.95l.9-.9",
  moon: "M13.5 9.5A5.75 5.75 0 0 1 6.5 2.5a5.75 5.75 0 1 0 7 7z",
  contrast: "M8 1.75a6.25 6.25 0 1 1 0 12.5zM8 1.75a6.25 6.25 0 0 0 0 12.5",
  info: "M8 1.75a6.25 6.25 0 1 1 0 12.5 6.25 6.25 0 0 1 0-12.5zM8 7.25v4M8 4.9v.01",
  open: "M6.5 2.75H2.75v10.5h10.5V9.5M9 2.75h4.25V7M13 3 7.5 8.5",
  reload: "M13.25 8A5.25 5.25 0 1 1 11.6 4.2M13.25 1.75v3.5h-3.5",
} as const;

export type IconName = keyof typeof PATHS;

/** An icon; an unknown name gives the three dots. */
export function Icon(props: { name: string }): JSX.Element {
  const path = (): string => PATHS[props.name as IconName] ?? PATHS.other;
  return (
    <svg class="icon" data-icon={props.name} viewBox="0 0 16 16" aria-hidden="true">
      <path d={path()} />
    </svg>
  );
}

/** The mark of the product. */
export function Mark(): JSX.Element {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="7" />
      <path d="M7 22c3.5 0 3.5-3 7-3s3.5 3 7 3 3-2 4-3M16 16V6m-5 5 5-5 5 5" />
    </svg>
  );
}
