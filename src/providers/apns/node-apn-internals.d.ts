/** The parts of @parse/node-apn 8.1.0 that are used; its own types know only its client. */

declare module '@parse/node-apn/lib/credentials/index.js' {
  interface ProviderToken {
    /** The signed JWT. */
    readonly current: string
    readonly generation: number
    /** Signs anew, if `generation` is still the current one. */
    regenerate(generation: number): void
  }
  interface Credentials {
    token(options: { readonly key: string; readonly keyId: string; readonly teamId: string }): ProviderToken
  }
  // oxlint-disable-next-line import/no-default-export -- how module.exports looks from here
  export default function credentials(dependencies: { readonly logger: () => void }): Credentials
}

declare module '@parse/node-apn/lib/credentials/certificate/parsePkcs12.js' {
  interface Key {
    fingerprint(): string
  }
  interface Certificate {
    key(): Key
    validity(): { readonly notAfter: Date }
    /** node-forge's certificate. */
    readonly _cert: { readonly subject: { readonly attributes: readonly { type?: string; value?: unknown }[] } }
  }
  // oxlint-disable-next-line import/no-default-export -- how module.exports looks from here
  export default function parsePkcs12(
    file: Buffer,
    passphrase: string | undefined,
  ): { readonly key: Key | null; readonly certificates: readonly Certificate[] }
}
