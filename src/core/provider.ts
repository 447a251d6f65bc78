/** The contract of a push service: one folder, and one line in providers/index.ts. */
import type { LookupFunction } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TObject } from 'typebox'
import type { DisclosureOfFields } from './disclosure.ts'
import type { JsonObject } from './json.ts'
import type { Message, PushIdentity, Rendered } from './message.ts'
import type { Outcome } from './outcome.ts'
import type { PrivacyPolicy } from './privacy-policy.ts'
import type { Push } from './push.ts'
import type { Relay } from './relay.ts'
import type { Secret } from './secret.ts'

/** Opens a TCP connection, directly or through the operator's proxy; rejects with a DialError, at the latest when `signal` aborts. */
export type Dial = (host: string, port: number, signal: AbortSignal, how?: DialOptions) => Promise<Duplex>

export interface DialOptions {
  /** How a direct connection finds the addresses of the host. A proxy finds them itself. */
  readonly lookup?: LookupFunction | undefined
  /** A stranger has named the host. A proxy stands in our own network, so it is asked for public names only. */
  readonly isStranger?: boolean | undefined
}

/** What every provider gets from the gateway beside its own options. */
export interface ProviderContext {
  /** The app's configured name, for log lines. */
  readonly app: string
  readonly nowMs: () => number
  readonly dial: Dial
  /** To be told of the status of each answer to a push. */
  readonly answered?: ((status: number) => void) | undefined
  /** How many deliveries of the app may be in flight at once. */
  readonly concurrency: number
  /** Warnings an operator should see. Must not carry a pushkey, a payload, or an error object of an SDK. */
  readonly warn: (message: string) => void
}

export type CheckResult = { readonly ok: true } | { readonly ok: false; readonly reason: string }

/** Is told the status (of HTTP) of the last answer to an attempt, if there was one, before the attempt settles. */
export type Answered = (status: number) => void

/** What the deliveries of a route are sent by, and its credential is checked by. */
export interface Sender {
  /** Exactly one attempt; settles within 15 s whatever happens, never rejects for an answer or a network failure. When `signal` aborts, the attempt is cut off. `target`: the pushkey, or what `targetOf` made of it. */
  send(message: Message, target: Secret, signal: AbortSignal, answered?: Answered): Promise<Outcome>
  /** When the credential itself runs out (epoch, ms), for those that do. */
  readonly credentialExpiresAtMs?: number | undefined
  /** Waits for what is in flight, then closes every connection. */
  close(): Promise<void>
  /** A harmless question that proves or refutes our credential (`check --online`). */
  check(signal: AbortSignal): Promise<CheckResult>
}

/** A mistake in an app's section that its schema cannot express, found by reading its files. */
export interface OptionMistake {
  /** The option it is about, e.g. `key_file`. */
  readonly option: string
  /** A sentence that says what is wrong and what to do. */
  readonly message: string
}

/** What a push service learns, in the words of core/disclosure.ts. */
export interface ProviderDisclosures {
  /** Of fields of which its messages tell it something else than the ledger says of any push service. */
  readonly passedOn?: DisclosureOfFields | undefined
  /**
   * Present where each message goes encrypted for the device, by the push service's own protocol: what shows of it outside, e.g. in headers. A field
   * that is not named does not show, but for what whoever is sent anything sees: the device, the time, the length.
   */
  readonly outside?: DisclosureOfFields | undefined
}

/** How the page for people speaks of a push service. */
export interface PushServiceNames {
  /** What a push goes through: "Apple (APNs)". */
  readonly through: string
  /** Who that is, at the start of a sentence that goes on in the singular: "Apple", "The push service". */
  readonly who: string
}

/** Why every push of an app makes the phone ring: such a push can neither wait nor hide what it is about. */
export interface Ringing {
  /** The option that says so, and its value. */
  readonly option: string
  readonly value: string
  /** Why `privacy: minimal` is not for such an app: a sentence without its end. */
  readonly whyNotMinimal: string
}

/**
 * What can be said of a target before anything of it is stored. `impossible`: no configuration of the app could reach it, so no such pushkey can exist; it is
 * rejected. `not_allowed`: only these options keep pushes from it, so nothing is sent, and the pushkey lives.
 */
export type TargetVerdict = 'possible' | 'impossible' | 'not_allowed'

/** Options as they come out of the configuration: paths resolved, checked against `options`. */
export interface ProviderKind<Options = never> {
  /** The JSON Schema of an app's section, without `type` and the options every app has (privacy, counts, …). */
  readonly options: TObject
  /** Names of options that are paths of files; the configuration resolves them against its own folder and watches them. */
  readonly files: readonly string[]
  /** Counts-only pushes replace each other per pushkey, or per pushkey and pusher data. */
  readonly countsPer: 'pushkey' | 'pusher'
  /**
   * Its messages are encrypted to the device anyway, so a device's own key (`hushgate_key`) is not needed: for any app. Whether those of one app are, under its
   * options, is said by `outside` of its disclosures.
   */
  readonly isEndToEnd?: boolean | undefined
  /** Where an app has several push services: whether a pusher looks like one of this one; default: any does. */
  isOwn?(pushkey: string, data: JsonObject): boolean
  /**
   * Of an app that takes pushes of app_ids that no app is configured for: whether this is one of them. Undefined where the options do not say so, or the push
   * service has no such thing.
   */
  catches?(options: Options): ((pushkey: string, data: JsonObject) => boolean) | undefined
  /** What the sender needs to reach a device, as one text; default: the pushkey itself. */
  targetOf?(pushkey: string, data: JsonObject): string
  /**
   * Judges targets at the door; default: all are possible. Where options rule a target out as if it were dead, it is possible all the same: they may be a
   * mistake, and what the sender rejects goes through the rejection guard.
   */
  targetCheck?(options: Options): (target: Secret) => TargetVerdict
  /** What an operator is told of targets that are `not_allowed`: which option keeps pushes from them, and what to do. */
  readonly notAllowed?: string | undefined
  readonly names: PushServiceNames
  /** What its push service learns under these options. */
  disclosures(options: Options): ProviderDisclosures
  /** For a push service that can: whether every push of the app rings. `section`: the app's section, checked, or as it was written, mistakes included. */
  rings?(section: JsonObject): Ringing | undefined
  /** Reads what the options point to and reports every mistake; opens no connection. */
  inspect(options: Options): Promise<readonly OptionMistake[]>
  /** What an operator should know of these options, though they are none wrong. */
  warnings?(options: Options, policy: PrivacyPolicy): readonly OptionMistake[]
  /** Pure: everything that does not change between pushes is computed once, here. `target`: as `targetOf` made it; absent where no device is meant. */
  renderer(options: Options): (push: Push, identity: PushIdentity, target?: string) => Rendered
  /** For a push service that can: how Web Push messages are passed on through it. Undefined where the options do not say that they are. Pure. */
  relay?(options: Options): Relay | undefined
  /** The public key that an app needs to register its pusher (Web Push: applicationServerKey). Rejects when the options' file has none. */
  publicKey?(options: Options): Promise<string>
  /** Loads the SDK; called only where pushes are sent. */
  open(options: Options, context: ProviderContext): Promise<Sender>
}
