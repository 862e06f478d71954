import type { ReactNode } from 'react'

/** Line icons on a grid of 24, in the colour of the text around them. They are ornaments: what holds them has the name. */
function icon(shape: ReactNode): () => ReactNode {
  return function Icon() {
    return (
      <svg className="icon" viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.75" strokeLinecap="round" strokeLinejoin="round" aria-hidden="true" focusable="false">
        {shape}
      </svg>
    )
  }
}

export const MenuIcon = icon(<path d="M4 7h16M4 12h16M4 17h10" />)
export const CloseIcon = icon(<path d="M6 6l12 12M18 6L6 18" />)
export const MoreIcon = icon(<path d="M5.5 12h.01M12 12h.01M18.5 12h.01" strokeWidth="2.6" />)
export const NewChatIcon = icon(
  <>
    <path d="M12 4H7a3 3 0 0 0-3 3v10a3 3 0 0 0 3 3h10a3 3 0 0 0 3-3v-5" />
    <path d="M18.4 3.6a1.7 1.7 0 0 1 2.4 2.4L13 13.8l-3.2.8.8-3.2z" />
  </>,
)
export const SendIcon = icon(<path d="M12 19V5M6 11l6-6 6 6" />)
export const StopIcon = icon(<rect x="7" y="7" width="10" height="10" rx="1.5" fill="currentColor" />)
export const CopyIcon = icon(
  <>
    <rect x="9" y="9" width="11" height="11" rx="2.5" />
    <path d="M5.5 15A1.5 1.5 0 0 1 4 13.5V6.5A2.5 2.5 0 0 1 6.5 4h7A1.5 1.5 0 0 1 15 5.5" />
  </>,
)
export const CheckIcon = icon(<path d="M5 12.5l4.5 4.5L19 7.5" />)
export const RegenerateIcon = icon(
  <>
    <path d="M19.5 12a7.5 7.5 0 1 1-2.3-5.4" />
    <path d="M20 3.5V8h-4.5" />
  </>,
)
export const EditIcon = icon(<path d="M16.2 4.2a2 2 0 0 1 2.9 0l.7.7a2 2 0 0 1 0 2.9L9 18.6 4 20l1.4-5z" />)
export const PreviousIcon = icon(<path d="M14.5 6l-6 6 6 6" />)
export const NextIcon = icon(<path d="M9.5 6l6 6-6 6" />)
export const DownIcon = icon(<path d="M12 5v14M6 13l6 6 6-6" />)
export const SunIcon = icon(
  <>
    <circle cx="12" cy="12" r="4" />
    <path d="M12 3v1.5M12 19.5V21M3 12h1.5M19.5 12H21M5.6 5.6l1.1 1.1M17.3 17.3l1.1 1.1M5.6 18.4l1.1-1.1M17.3 6.7l1.1-1.1" />
  </>,
)
export const MoonIcon = icon(<path d="M20 14.2A8 8 0 0 1 9.8 4a8 8 0 1 0 10.2 10.2z" />)
export const SystemIcon = icon(
  <>
    <rect x="3.5" y="4.5" width="17" height="12" rx="2" />
    <path d="M9 20h6" />
  </>,
)
export const AlertIcon = icon(
  <>
    <circle cx="12" cy="12" r="8.5" />
    <path d="M12 7.8v4.7M12 16v.1" />
  </>,
)
export const ClockIcon = icon(
  <>
    <circle cx="12" cy="12" r="8.5" />
    <path d="M12 7.5V12l3 2" />
  </>,
)
export const ChatIcon = icon(
  <>
    <path d="M4 7a3 3 0 0 1 3-3h10a3 3 0 0 1 3 3v7a3 3 0 0 1-3 3h-5l-4.5 3.5V17H7a3 3 0 0 1-3-3z" />
    <path d="M8.5 9h7M8.5 12.5h4.5" />
  </>,
)
