/** What was wrong for operators when Hushgate was first run by some: for each, the test that would fail if it came back is there. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '../..')

it.each([
  [
    'a removed app keeps its gauges',
    'test/metrics/metrics.test.ts',
    'leaves no series of it, whatever is still told of it',
  ],
  [
    'a certificate that was replaced keeps its expiry',
    'test/metrics/metrics.test.ts',
    'a certificate that is replaced by a key that does not expire leaves no expiry',
  ],
  [
    'a blocked app scales the workers up',
    'test/metrics/scrape.test.ts',
    'a blocked app, one whose push service is away, and one that is paused ask for no more processes',
  ],
  [
    'a blocked app pages as a stuck queue, too',
    'test/helm/prometheus.test.ts',
    'says nothing while all is well, then exactly what goes wrong, one thing after the other',
  ],
  [
    'each app has a trigger of its own for scaling',
    'helm/tests/scaling_test.yaml',
    'what delivers by how long a push has waited that could be sent',
  ],
  [
    'each scrape reads each queue anew',
    'test/metrics/scrape.test.ts',
    'however many scrape at once, each queue is read once',
  ],
  [
    'the oldest age begins anew at each attempt',
    'test/store/conformance-queue.ts',
    'counts the age from acceptance while a delivery is under way and while it waits to be tried again, and how overdue it is anew',
  ],
  [
    'nothing but forget takes a pushkey',
    'test/process/operator-commands.int.test.ts',
    'tells five devices with different fates apart, by pushkey on standard input',
  ],
  [
    'the device of a log line leads nowhere',
    'test/process/operator-commands.int.test.ts',
    'finds by the device of a log line what the pushkey finds, and one grep tells the story of its push',
  ],
  [
    'dead list names no device',
    'test/process/commands.int.test.ts',
    'lists, retries and drops what was given up, through the running gateway',
  ],
  ['a pushkey that died leaves no line at info', 'test/delivery/worker.test.ts', "['info', 'A pushkey is dead']"],
  ['the level of the log needs a restart', 'test/process/reload.int.test.ts', 'takes another log level at once'],
  [
    'the end of a wait is not logged',
    'test/delivery/worker.test.ts',
    'is told to answer again, once for each time that it was told to wait, and for how long that was',
  ],
  [
    'nothing says since when an app is blocked',
    'test/gateway/operator-api.int.test.ts',
    'an app that the push service refuses is blocked, since then, in its own word; another one is open',
  ],
  [
    'with a mistake in the file the commands do not ask the gateway',
    'test/process/operator-commands.int.test.ts',
    'the running gateway is still asked, and the mistake is told',
  ],
  [
    'dead retry rewrites the time of acceptance, and gives a call a day',
    'test/store/conformance-dead-letters.ts',
    'keep the time at which they were accepted when they are put back; a call that is over stays',
  ],
  ['render waits in silence at a terminal', 'test/commands/input.test.ts', 'that it waits is said at a terminal only'],
  [
    'render dies under | head',
    'test/process/commands.int.test.ts',
    'ends without a word when nobody reads on, as with | head',
  ],
  [
    'a wrong type hides other mistakes',
    'test/config/mistakes.test.ts',
    'in the type of an app hides no other mistake of its section',
  ],
  [
    'there is no operations page',
    'test/http/operations-page.int.test.ts',
    'shows how each app does, while it does it, and asks nobody but the gateway',
  ],
  [
    'the documented podman build drops the health check',
    'test/packaging.test.ts',
    'keeps its health check, which podman drops without --format docker',
  ],
  [
    'monitoring needs Kubernetes',
    'test/helm/monitoring-example.test.ts',
    'every alert is looked at without an error, and none is pending',
  ],
  [
    'an unknown app is named nowhere',
    'test/process/operator-commands.int.test.ts',
    'an app_id that is not configured is named, and no rejections are held back',
  ],
  [
    'a long attempt is beyond all buckets',
    'test/metrics/metrics.test.ts',
    'an attempt that takes as long as any may has a bucket of its own',
  ],
  [
    'a depth that was not read keeps its last value',
    'test/metrics/scrape.test.ts',
    'a queue that cannot be read keeps no value from before',
  ],
  [
    'dead retry and drop act on everything unasked',
    'test/process/operator-commands.int.test.ts',
    'nothing is retried or dropped without a filter, unless all are meant; a dry run changes nothing',
  ],
  [
    'which changed Secrets need a restart is said wrong',
    'test/documents/restarts.test.ts',
    'says which changed Secrets need a restart, and which do not',
  ],
  ['when old pods go is said wrong', 'test/documents/restarts.test.ts', 'says when old pods go'],
  [
    'a pod asks for less memory than it takes',
    'test/documents/restarts.test.ts',
    'the requests of memory are more than a gateway takes under load, and the limit is that of the sizing',
  ],
  ['the bundled Redis has no password', 'test/helm/bundled-redis.test.ts', 'lets in nobody without the password'],
  [
    'the bundled Redis has no protected mode',
    'helm/tests/redis_test.yaml',
    'has a password of its own where none is given, and lets nobody in without',
  ],
  [
    'check --online prints a bare ECONNREFUSED',
    'test/commands/broken-set-ups.int.test.ts',
    'a port at which nobody listens',
  ],
  [
    'outside of Kubernetes nobody can scrape',
    'test/packaging.test.ts',
    'the compose file lets Prometheus ask the admin port, and nobody outside',
  ],
  ['most metrics are not documented', 'test/documents/metrics.test.ts', 'docs/metrics.md says what the code counts'],
])('not again: %s', (_defect, file, name) => {
  expect(readFileSync(join(ROOT, file), 'utf8')).toContain(name)
})
