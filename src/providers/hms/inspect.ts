/** The mistakes in an HMS section that its schema cannot express; opens files, no connection. */
import type { OptionMistake } from '../../core/provider.ts'
import { Secret } from '../../core/secret.ts'
import { checkAddress, mistakesIn, readAuthorities, readOptionFile, type Report } from '../shared/inspect.ts'
import type { HmsOptions } from './options.ts'

export function inspect(options: HmsOptions): Promise<readonly OptionMistake[]> {
  return mistakesIn(async (report) => {
    await readClientSecret(options, report)
    await readAuthorities(options, report)
    checkAddress(options.endpoint, 'endpoint', 'https://push-api.cloud.huawei.com', report)
    checkAddress(options.oauth_endpoint, 'oauth_endpoint', 'https://oauth-login.cloud.huawei.com', report)
    if (options.urgency === 'high' && options.notification !== undefined)
      report('urgency', 'is for data messages only; delete it, or the notification')
  })
}

/** The file is never quoted. */
export async function readClientSecret(
  { client_secret_file: path }: Pick<HmsOptions, 'client_secret_file'>,
  report: Report<'client_secret_file'>,
): Promise<Secret | undefined> {
  const secret = (await readOptionFile(path, 'client_secret_file', report))?.toString().trim()
  if (secret === undefined) return undefined
  if (/^[\x21-\x7e]{8,512}$/.test(secret)) return new Secret(secret)
  report('client_secret_file', `${path} holds no client secret: it must be one word of at least 8 characters`)
  return undefined
}
