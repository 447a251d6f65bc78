/** Stock apps with UnifiedPush, and a push server that stands in for ntfy; with a real one: `npm run test:ntfy`. */
import { startStandIn } from '../helpers/push-server.ts'
import { describeStockApps } from './stock-apps.ts'

describeStockApps('a push server', startStandIn)
