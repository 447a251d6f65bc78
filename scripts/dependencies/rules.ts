/** What is allowed of other people's packages. Each exception has its reason; one that nothing needs any more is a mistake. */

/** A package that is excepted from a rule, and why. */
export interface Exception {
  readonly package: string
  readonly reason: string
}

/** An advisory of high or critical severity that does not fail the check, for a time. */
export interface AcceptedAdvisory extends Exception {
  /** GHSA-… */
  readonly id: string
  /** The last day, YYYY-MM-DD: then it is looked at again. */
  readonly until: string
}

export interface Rules {
  /** SPDX names. */
  readonly licences: readonly string[]
  /** Packages under any other licence, and which. */
  readonly otherLicences: readonly (Exception & { readonly licence: string })[]
  readonly installScripts: readonly Exception[]
  readonly advisories: readonly AcceptedAdvisory[]
}

const LIGHTNINGCSS = 'a part of the test runner and of the generator of the site, which is not passed on'

export const RULES: Rules = {
  // Each lets its work be passed on within an Apache-2.0 program, with its text beside it (dist/LICENSES.txt).
  licences: ['0BSD', 'Apache-2.0', 'BlueOak-1.0.0', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC', 'MIT'],
  otherLicences: [
    {
      package: 'web-push',
      licence: 'MPL-2.0',
      reason: 'its files are in the bundle as they are; LICENSES.txt says where its source is (section 3.2)',
    },
    { package: 'axe-core', licence: 'MPL-2.0', reason: 'looks at pages in tests, and is not passed on' },
    { package: 'lightningcss', licence: 'MPL-2.0', reason: LIGHTNINGCSS },
    { package: 'lightningcss-*', licence: 'MPL-2.0', reason: LIGHTNINGCSS },
  ],
  // None of them runs: package.json forbids it (`allowScripts`).
  installScripts: [
    { package: '@firebase/util', reason: 'writes down the defaults of a web app, which a server does not have' },
    { package: 'msgpackr-extract', reason: 'builds a native decoder, which msgpackr does without' },
    { package: 'protobufjs', reason: 'only warns about version numbers' },
  ],
  advisories: [],
}

/** Of the packages that build the site of the documents. */
export const SITE_RULES: Rules = {
  licences: RULES.licences,
  otherLicences: [
    { package: 'lightningcss', licence: 'MPL-2.0', reason: LIGHTNINGCSS },
    { package: 'lightningcss-*', licence: 'MPL-2.0', reason: LIGHTNINGCSS },
    { package: '@iconify-json/simple-icons', licence: 'CC0-1.0', reason: 'gives up all rights' },
  ],
  installScripts: [],
  advisories: [],
}
