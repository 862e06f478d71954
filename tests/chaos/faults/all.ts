import { clientFaults } from './client-faults.ts'
import { engineFaults } from './engine-faults.ts'
import type { Fault } from './fault.ts'
import { processFaults } from './process-faults.ts'
import { queueFaults } from './queue-faults.ts'
import { serviceFaults } from './service-faults.ts'

export const allFaults: readonly Fault[] = [...processFaults, ...serviceFaults, ...queueFaults, ...engineFaults, ...clientFaults]
