/** Writes the tables of attacks in docs/reliability.md, from docs/attacks.json. */
import { writeDocument } from './attacks/document.ts'

writeDocument()
