import { describe, expect, it } from 'vitest'
import { connectErrorOf } from '../../../../src/providers/shared/connections/connect.ts'

const failure = (code: string): Error => Object.assign(new Error('connect 203.0.113.7:443'), { code })

describe('a connection that did not come about', () => {
  // RFC 8446 §6.2, as OpenSSL names the alerts.
  it.each([
    'ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE',
    'ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED',
    'ERR_SSL_SSLV3_ALERT_CERTIFICATE_REVOKED',
    'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA',
    'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
  ])('proves that our certificate is refused: %s', (code) => {
    expect(connectErrorOf(failure(code))).toMatchObject({
      message: code,
      loss: { isCertificateRefused: true, written: false },
    })
  })

  it.each([
    'ECONNREFUSED',
    'ENOTFOUND',
    'CERT_HAS_EXPIRED',
    'ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR',
    'ERR_SSL_WRONG_VERSION_NUMBER',
  ])('proves nothing: %s', (code) => {
    expect(connectErrorOf(failure(code))).toMatchObject({
      message: code,
      loss: { isCertificateRefused: false, written: false },
    })
  })
})
