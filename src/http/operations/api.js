/** The operator's API (docs/openapi.json) with the token of this tab. */

const KEY = 'hushgate-admin-token'

/** The token is missing or wrong. */
export class SignInError extends Error {}

export const hasToken = () => sessionStorage.getItem(KEY) !== null
export const setToken = (/** @type {string} */ token) => sessionStorage.setItem(KEY, token)
export const removeToken = () => sessionStorage.removeItem(KEY)

/**
 * Rejects with a SignInError, or with an Error that holds the gateway's sentence.
 *
 * @param {string} path
 * @param {object} [body] With one it is a POST.
 */
export async function ask(path, body) {
  const headers = { authorization: `Bearer ${sessionStorage.getItem(KEY) ?? ''}` }
  const post = {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  }
  const response = await fetch(`api/v1/${path}`, body === undefined ? { headers } : post).catch(() => {
    throw new Error('The gateway does not answer. Is it running? This page tries again.')
  })
  const answer = await response.json().catch(() => ({}))
  if (response.status === 401) throw new SignInError('The token is not the one of this gateway.')
  if (!response.ok) throw new Error(answer.error ?? `The gateway answered ${response.status}`)
  return answer
}
