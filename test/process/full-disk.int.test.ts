/** A gateway on SQLite whose disk is full for a while. */
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { mountSmallDisk } from '../../scripts/faults/small-disk.ts'
import { createHushgateFolder, startHushgate } from '../helpers/hushgate-process.ts'
import { postTo } from '../helpers/homeserver.ts'
import { newPushkey, startPushServices } from '../helpers/push-services.ts'
import { until } from '../helpers/received.ts'

const IOS = 'com.example.ios'

it('refuses while its disk is full, takes pushes again without a restart, and loses none that it took', async () => {
  await using stack = new AsyncDisposableStack()
  const services = stack.use(await startPushServices())
  const disk = stack.use(await mountSmallDisk())
  const folder = stack.use(await createHushgateFolder())
  const store = JSON.stringify({ url: `sqlite:${join(disk.path, 'hushgate.db')}` })
  await folder.configure({ appsYaml: services.appsYaml, store })
  const gateway = stack.use(startHushgate(['serve'], { folder: folder.path }))
  const { notify: url } = await gateway.running()
  const taken: string[] = []
  /** Once, as one event; resolves with the status. */
  const post = async (): Promise<number> => {
    const { token, apns } = newPushkey('d30')
    const event = { event_id: `$${token}`, room_id: '!room:example.org', type: 'm.room.message' }
    const notification = { ...event, devices: [{ app_id: IOS, pushkey: apns }] }
    const { status } = await postTo(url, JSON.stringify({ notification }))
    if (status === 200) taken.push(token)
    return status
  }
  const postMany = (): Promise<number[]> => Promise.all(Array.from({ length: 20 }, post))

  expect(await postMany()).toEqual(Array.from({ length: 20 }, () => 200))
  // Some are on their way while it becomes full.
  const [during] = await Promise.all([postMany(), disk.fill()])
  expect(during.every((status) => status === 200 || status === 503)).toBe(true)
  await until('it refuses', async () => (await post()) === 503)
  const before = taken.length
  await disk.clear()
  await until('it takes pushes again', async () => (await post()) === 200)
  await until('it takes all', async () => (await postMany()).every((status) => status === 200))
  expect(taken.length).toBeGreaterThan(before + 20)
  for (const token of taken) await services.waitFor(token, 1, 200)
})
