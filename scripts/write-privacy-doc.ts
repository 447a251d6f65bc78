/** Writes the tables of docs/privacy.md, from the ledger and the simulation of timing, and config/privacy.schema.json. */
import { readFileSync, writeFileSync } from 'node:fs'
import { privacyStatementSchema } from '../src/privacy/statement.ts'
import { PRIVACY_DOC, PRIVACY_SCHEMA, withLedger } from '../test/ledger/privacy-doc.ts'
import { linkings, linkingsOfGroups, withTimings } from '../test/timing/report.ts'

writeFileSync(PRIVACY_DOC, withTimings(withLedger(readFileSync(PRIVACY_DOC, 'utf8')), linkings(), linkingsOfGroups()))
writeFileSync(PRIVACY_SCHEMA, `${JSON.stringify(privacyStatementSchema, null, 2)}\n`)
