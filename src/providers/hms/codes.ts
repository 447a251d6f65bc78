/** Huawei's codes (docs/facts/hms.md#codes): the only part of an answer that is counted and logged. */
import { documentedWords } from '../shared/answers.ts'

export const documentedCode = documentedWords([
  '80000000',
  '80100000',
  '80100001',
  '80100003',
  '80100004',
  '80100013',
  '80100016',
  '80100017',
  '80100018',
  '80200001',
  '80200003',
  '80300002',
  '80300007',
  '80300008',
  '80300010',
  '80300011',
  '80300013',
  '80600003',
  '81000001',
])
