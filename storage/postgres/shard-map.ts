/** Which shard holds a bucket. */
import { bucketCount } from '../../protocol/ids.ts'
import { StorageSetupError } from './setup-error.ts'

export interface ShardConfig {
  readonly name: string
  readonly primaryUrl: string
  readonly replicaUrls: readonly string[]
  /** First and last bucket of each range. */
  readonly buckets: readonly (readonly [first: number, last: number])[]
  /** PGlite, which serves one connection. */
  readonly embedded: boolean
}

/** Spreads the buckets evenly over databases, in their order. */
export function evenShards(primaryUrls: readonly string[], { embedded = false } = {}): ShardConfig[] {
  const first = (index: number): number => Math.floor((index * bucketCount) / primaryUrls.length)
  return primaryUrls.map((primaryUrl, index) => ({
    name: `shard-${index + 1}`,
    primaryUrl,
    replicaUrls: [],
    buckets: [[first(index), first(index + 1) - 1]],
    embedded,
  }))
}

export function bucketsOf({ buckets }: ShardConfig): number[] {
  return buckets.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, index) => first + index))
}

/** The shard of each bucket. Throws StorageSetupError `invalid_shard_map` unless every bucket has exactly one. */
export function mapBuckets<T extends { readonly config: ShardConfig }>(shards: readonly T[]): readonly T[] {
  const names = new Set(shards.map(({ config }) => config.name))
  if (names.size !== shards.length) throw new StorageSetupError('invalid_shard_map', 'two shards have the same name')
  const map = new Map<number, T>()
  for (const shard of shards) {
    for (const [first, last] of shard.config.buckets) {
      if (!Number.isInteger(first) || !Number.isInteger(last) || first < 0 || last >= bucketCount || first > last) {
        throw new StorageSetupError('invalid_shard_map', `shard ${shard.config.name} names the buckets ${first} to ${last}; they go from 0 to ${bucketCount - 1}`)
      }
    }
    for (const bucket of bucketsOf(shard.config)) {
      const other = map.get(bucket)
      if (other !== undefined) throw new StorageSetupError('invalid_shard_map', `bucket ${bucket} is on both ${other.config.name} and ${shard.config.name}`)
      map.set(bucket, shard)
    }
  }
  return Array.from({ length: bucketCount }, (_, bucket) => {
    const shard = map.get(bucket)
    if (shard === undefined) throw new StorageSetupError('invalid_shard_map', `no shard has bucket ${bucket}`)
    return shard
  })
}
