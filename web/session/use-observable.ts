import { useCallback, useSyncExternalStore } from 'react'
import type { Observable } from './observable.ts'

/** The value, and a new rendering whenever it is replaced. */
export function useObservable<T>(observable: Observable<T>): T {
  return useSyncExternalStore(observable.subscribe, observable.get)
}

/** A part of the value, and a new rendering only when that part changes. `select` must be a function of the module, not of a rendering. */
export function usePart<T, Part>(observable: Observable<T>, select: (value: T) => Part): Part {
  const get = useCallback(() => select(observable.get()), [observable, select])
  return useSyncExternalStore(observable.subscribe, get)
}
