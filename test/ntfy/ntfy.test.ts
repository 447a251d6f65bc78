/** Stock apps with UnifiedPush and a real ntfy, with and without a real Synapse. */
import { describeSynapseAndStockApps } from '../homeserver/unifiedpush.ts'
import { describeStockApps } from '../process/stock-apps.ts'
import { startNtfy } from './ntfy.ts'

describeStockApps('a real ntfy', startNtfy)
describeSynapseAndStockApps('a real ntfy', startNtfy)
