/** Writes the results in docs/performance.md and docs/performance.svg, from docs/performance.json. */
import { writeDocument } from './bench/document.ts'

writeDocument()
