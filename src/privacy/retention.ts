/** What the gateway stores, for how long and why: the part of the ledger that is about time. Data, no behaviour. */
import Type, { type Static } from 'typebox'

/** One kind of entry in the store. `lifetime`: in words; the numbers are asserted where they are used (test/gateway/retention.int.test.ts). */
export const keptSchema = Type.Object(
  { what: Type.String(), readable: Type.String(), lifetime: Type.String(), why: Type.String() },
  { additionalProperties: false },
)
export type Kept = Static<typeof keptSchema>

const RECEIPTS: Kept = {
  what: 'what became of the last push to a device (unless the setting receipts is off)',
  readable: 'a keyed hash of app and pushkey, another each day; the hour in which it goes',
  lifetime: '24 hours',
  why: 'The operator can answer why a device got nothing',
}

export const KEPT: readonly Kept[] = [
  {
    what: 'a push that is on its way',
    readable:
      'nothing of it; beside it the name of the app, priority, times, number of attempts, a running number or a random ID; of an app with the setting shards, also which share of its devices the device belongs to',
    lifetime:
      'until it is sent; at most queue.max_age (calls: queue.call_max_age), then an event is given up (the next entry) and the rest goes',
    why: 'Nothing is lost when the push service or the gateway is away',
  },
  {
    what: 'a push that could not be delivered',
    readable: 'the same, the random ID under which its event was sent, and the reason',
    lifetime: 'at most 7 days, and at most 10,000 per app',
    why: 'The operator can find out why, and send it again',
  },
  {
    what: 'that an event was sent to a device',
    readable: 'a keyed hash of app, pushkey, registration and event ID; a random ID',
    lifetime: '24 hours',
    why: 'Homeservers repeat themselves; the device shall not ring twice',
  },
  {
    what: 'which badge of a device is the latest (where pushes are delayed, also which push)',
    readable: 'a keyed hash of app, pushkey and registration; a number',
    lifetime: '24 hours',
    why: 'An old number must not replace a newer one',
  },
  {
    what: 'when the latest push of a device leaves (only of an app with the setting coalesce)',
    readable: 'a keyed hash of app, pushkey and registration; a time; a random ID',
    lifetime: 'twice the setting coalesce at most, so 20 minutes',
    why: 'Of the pushes of some seconds two are sent: the first at once, the last at the end',
  },
  RECEIPTS,
  {
    what: "that a device's address (pushkey) is dead",
    readable:
      'a keyed hash of app and pushkey, and of its registration when it was registered again; times, in minutes; a keyed hash of all that',
    lifetime:
      '30 days; only an hour where no push was delivered to the device in the last 30 days, at most 10,000 of these per app in an hour',
    why: 'The homeserver is told, so that it stops',
  },
  {
    what: 'that endpoints were revoked (only of an app with the setting webpush_relay)',
    readable:
      "a keyed hash of app, pushkey and the homeserver's key; when the last of these endpoints was made; a keyed hash of all that",
    lifetime: 'a year after that; only of a device that a push was delivered to, at most 1,000 per app in an hour',
    why: 'The homeserver that sends there is told, so that it stops, and no such endpoint works again',
  },
  {
    what: 'that a push was delivered to a device',
    readable: 'a keyed hash of app and pushkey; the day',
    lifetime: '30 days, renewed once a week, and by each process that starts; at most 2,000,000 per app',
    why: 'Anybody can post for devices that nobody has: those get what these leave free',
  },
  {
    what: 'since when it is noted to which devices of an app pushes were delivered',
    readable: 'the name of the app, a time',
    lifetime: '30 days after the last delivery',
    why: 'Before, a new device could not be told from one that nobody has',
  },
  {
    what: 'how many addresses of devices were called dead in the last minutes',
    readable: 'keyed hashes that change each hour, in sets that can only be counted',
    lifetime: '6 minutes',
    why: 'A wrong setting must not unregister every user',
  },
  {
    what: 'when too many addresses of devices of an app were called dead',
    readable: 'the name of the app, times',
    lifetime: '30 days',
    why: 'The operator says whether it was a mistake',
  },
  {
    what: 'which apps the operator has paused',
    readable: 'the names of the apps, and since when',
    lifetime: 'until they are resumed; at most a year',
    why: 'What is to wait must wait after a restart, too',
  },
  {
    what: 'how far a move of all this into another store has come (only with hushgate move)',
    readable:
      'how far it has come, a random ID of the move, how much could not be opened; hashes of the names of the keys and of store.shards',
    lifetime: 'in the emptied file, as long as the file is there; in the other store, a year',
    why: 'A gateway on either store would send what the other one also has',
  },
  {
    what: 'that a canary push was sent to a device of the operator (only with the setting canary)',
    readable: 'the name of the app, which interval it was for, a random ID',
    lifetime: 'twice canary.every, so 2 hours at most',
    why: 'Of several processes one sends it',
  },
  {
    what: 'when such a canary push last arrived',
    readable: 'the name of the app, a time, how long it took',
    lifetime: '24 hours',
    why: 'Whichever process the operator asks, it can say so, also after a restart',
  },
  {
    what: 'how much was ever stored; where the store is a Redis, also which apps there are, or were',
    readable:
      "SQLite: one count. Redis: the names of apps; of each, over how many hash tags it is spread and since when, counts, BullMQ's settings and the numbers of its last jobs",
    lifetime: 'as long as the store itself',
    why: 'What is left of an app that is not configured any more must be found; a count that began anew would take old badges for the latest',
  },
]

/** All of it, but for receipts where they are off. */
export function keptWith(areReceiptsKept: boolean): readonly Kept[] {
  return areReceiptsKept ? KEPT : KEPT.filter((kept) => kept !== RECEIPTS)
}

type KeptInShort = Pick<Kept, 'what' | 'lifetime'>

const IN_SHORT: readonly KeptInShort[] = [
  {
    what: 'waiting notifications',
    lifetime: 'at most queue.max_age (calls: queue.call_max_age)',
  },
  { what: 'failed notifications', lifetime: 'at most 7 days' },
  { what: 'codes for messages', lifetime: '24 hours' },
  { what: 'a code for your device', lifetime: '30 days after its last push' },
]
const REVOKED_IN_SHORT: KeptInShort = { what: 'codes for devices with a revoked address', lifetime: 'a year' }

/** The same in a few lines, for who wants to know in half a minute: no entry above is kept longer than its line here, but for numbers that are of nobody. */
export function keptInShort(hasRelay: boolean): readonly KeptInShort[] {
  return hasRelay ? [...IN_SHORT, REVOKED_IN_SHORT] : IN_SHORT
}
