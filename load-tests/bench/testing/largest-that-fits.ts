/**
 * The largest count up to `most` that fits, found by doubling from `first` and then halving what lies between the last that
 * fitted and the first that did not, `halvings` times. 0 where not even the first fits.
 */
export async function largestThatFits(fits: (count: number) => Promise<boolean>, first: number, most: number, halvings: number): Promise<number> {
  let [fitted, tooMany] = [0, Number.POSITIVE_INFINITY]
  for (let count = first; count <= most; count = count === most ? most + 1 : Math.min(most, count * 2)) {
    if (await fits(count)) fitted = count
    else {
      tooMany = count
      break
    }
  }
  if (fitted === 0) return 0
  for (let n = 0; n < halvings && tooMany - fitted > 1 && tooMany <= most; n += 1) {
    const middle = Math.floor((fitted + tooMany) / 2)
    if (await fits(middle)) fitted = middle
    else tooMany = middle
  }
  return fitted
}
