/** Writes the table of docs/sygnal-differences.yaml into docs/migrating-from-sygnal.md. */
import { readFileSync, writeFileSync } from 'node:fs'
import { DOC_FILE, listAsMarkdown, readList, withTable } from '../test/golden/list.ts'

writeFileSync(DOC_FILE, withTable(readFileSync(DOC_FILE, 'utf8'), listAsMarkdown(readList())))
