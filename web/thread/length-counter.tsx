import { utf8Length } from '../../protocol/text.ts'
import { limits } from '../../protocol/websocket/limits.ts'

/** Shown when this much of the limit, or more, is used. */
const nearLimit = 0.9

export function fitsInMessage(text: string): boolean {
  return text.length * 3 <= limits.textBytes || utf8Length(text) <= limits.textBytes
}

/** How much room is left, once there is little. */
export function LengthCounter({ text }: { readonly text: string }) {
  if (text.length * 3 < limits.textBytes * nearLimit) return null
  const bytes = utf8Length(text)
  if (bytes < limits.textBytes * nearLimit) return null
  const left = limits.textBytes - bytes
  return (
    <span className={left < 0 ? 'length-counter over' : 'length-counter'} role="status">
      {left < 0 ? `${(-left).toLocaleString()} bytes too long` : `${left.toLocaleString()} bytes left`}
    </span>
  )
}
