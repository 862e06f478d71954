import { useObservable } from '../session/use-observable.ts'
import { MoonIcon, SunIcon, SystemIcon } from './icons.tsx'
import type { Theme, ThemeChoice } from './theme.ts'

const options: readonly { readonly theme: Theme; readonly label: string; readonly Icon: () => React.ReactNode }[] = [
  { theme: 'system', label: 'Look of the system', Icon: SystemIcon },
  { theme: 'light', label: 'Light', Icon: SunIcon },
  { theme: 'dark', label: 'Dark', Icon: MoonIcon }
]

export function ThemeSwitch({ themes }: { readonly themes: ThemeChoice }) {
  const chosen = useObservable(themes.theme)
  return (
    <fieldset className="theme-switch">
      <legend className="visually-hidden">Theme</legend>
      {options.map(({ theme, label, Icon }) => (
        <label key={theme} title={label}>
          <input type="radio" name="theme" value={theme} checked={theme === chosen} onChange={() => themes.choose(theme)} />
          <Icon />
          <span className="visually-hidden">{label}</span>
        </label>
      ))}
    </fieldset>
  )
}
