// The guide as it was printed in 2023, with the package of its day: positional ids, and its own polling.
// Writes a line of JSON per step; the caller opens the page of {"open": …}.
import Seam from 'seamapi'

const say = (step) => process.stdout.write(JSON.stringify(step) + '\n')
const since = new Date(Date.now() - 60_000).toISOString()

const seam = new Seam({ apiKey: process.env.SEAM_API_KEY, endpoint: process.env.SEAM_ENDPOINT })

const until = async (read, isDone, patience = 15_000) => {
  const deadline = Date.now() + patience
  for (;;) {
    const value = await read()
    if (isDone(value) || Date.now() > deadline) return value
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

const webview = await seam.connectWebviews.create({ accepted_providers: ['my_2n'] })
say({ webview_created: webview })
say({ open: webview.url })
say({
  webview: await until(
    () => seam.connectWebviews.get(webview.connect_webview_id),
    (it) => it.login_successful
  )
})

const locks = await seam.locks.list()
say({ locks })
const lock = locks[0]

for (const [step, move] of [
  ['lock', 'lockDoor'],
  ['unlock', 'unlockDoor']
]) {
  const { actionAttempt } = await seam.locks[move](lock.device_id)
  const { properties } = await seam.locks.get(lock.device_id)
  say({ [step]: { attempt: actionAttempt.status, locked: properties.locked } })
}

const ongoing = await seam.accessCodes.create({
  device_id: lock.device_id,
  code: '123456',
  name: 'Personal Access Code'
})
say({ ongoing })
say({
  timed: await seam.accessCodes.create({
    device_id: lock.device_id,
    name: 'My Temporary Access Code',
    starts_at: '2028-08-12T19:23:42+0000',
    ends_at: '2028-08-13T19:23:42+0000',
    code: '888888'
  })
})
say({ codes: await seam.accessCodes.list({ device_id: lock.device_id }) })
const { status } = await until(
  () => seam.accessCodes.get({ access_code_id: ongoing.access_code_id }),
  (it) => it.status === 'set'
)
say({ became: status })
say({ events: (await seam.events.list({ since })).map((event) => event.event_type) })

try {
  await seam.devices.get({ device_id: '00000000-0000-4000-8000-000000000000' })
} catch (error) {
  say({ error: { type: error.metadata?.type, status: error.status, request: error.requestId } })
}
