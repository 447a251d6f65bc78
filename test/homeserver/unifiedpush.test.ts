/** Synapse, stock apps with UnifiedPush, and a push server that stands in for ntfy; with a real one: `npm run test:ntfy`. */
import { startStandIn } from '../helpers/push-server.ts'
import { describeSynapseAndStockApps } from './unifiedpush.ts'

describeSynapseAndStockApps('a push server', startStandIn)
