/** Writes what comes from the ledger: the tables of docs/privacy.md, and config/privacy.schema.json. */
import { readFileSync, writeFileSync } from 'node:fs'
import { privacyStatementSchema } from '../src/core/privacy-statement.ts'
import { PRIVACY_DOC, PRIVACY_SCHEMA, withLedger } from '../test/helpers/privacy-doc.ts'

writeFileSync(PRIVACY_DOC, withLedger(readFileSync(PRIVACY_DOC, 'utf8')))
writeFileSync(PRIVACY_SCHEMA, `${JSON.stringify(privacyStatementSchema(), null, 2)}\n`)
