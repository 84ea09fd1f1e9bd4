// The guide "Get started with 2N intercoms" as a person types it with today's SDK.
// Writes a line of JSON per step; the caller opens the page of {"open": …}.
import { Seam, SeamHttpApiError, SeamHttpInvalidInputError, SeamHttpUnauthorizedError } from 'seam'

const say = (step) => process.stdout.write(JSON.stringify(step) + '\n')
const since = new Date(Date.now() - 60_000).toISOString()

// SEAM_API_KEY and SEAM_ENDPOINT are read from the environment.
const seam = new Seam()

const until = async (read, isDone, patience = 15_000) => {
  const deadline = Date.now() + patience
  for (;;) {
    const value = await read()
    if (isDone(value) || Date.now() > deadline) return value
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

const created = await seam.connectWebviews.create({ accepted_providers: ['my_2n'] })
say({ webview_created: created })
say({ open: created.url })
const webview = await until(
  () => seam.connectWebviews.get({ connect_webview_id: created.connect_webview_id }),
  (it) => it.login_successful
)
say({ webview })

const locks = await seam.locks.list()
say({ locks })
const [{ device_id }] = locks

for (const [step, move] of [
  ['lock', 'lockDoor'],
  ['unlock', 'unlockDoor']
]) {
  const attempt = await seam.locks[move]({ device_id })
  const { properties } = await seam.locks.get({ device_id })
  say({ [step]: { attempt: attempt.status, locked: properties.locked } })
}

const ongoing = await seam.accessCodes.create({ device_id, name: 'Personal Access Code', code: '123456' })
say({ ongoing })
say({
  timed: await seam.accessCodes.create({
    device_id,
    name: 'My Temporary Access Code',
    starts_at: '2028-08-12T19:23:42+0000',
    ends_at: '2028-08-13T19:23:42+0000',
    code: '888888'
  })
})
say({ codes: await seam.accessCodes.list({ device_id }) })
const { status } = await until(
  () => seam.accessCodes.get({ access_code_id: ongoing.access_code_id }),
  (it) => it.status === 'set'
)
say({ became: status })
say({ events: (await seam.events.list({ since })).map((event) => event.event_type) })

// Beyond the guide: pages, and what goes wrong.
const pages = seam.createPaginator(seam.devices.list({ limit: 2 }))
const [firstPage, pagination] = await pages.firstPage()
say({
  pages: {
    first: firstPage.length,
    more: pagination.hasNextPage,
    all: (await pages.flattenToArray()).map((device) => device.device_id)
  }
})

const refused = async (what) => {
  try {
    await what()
  } catch (error) {
    return {
      unauthorized: error instanceof SeamHttpUnauthorizedError,
      invalid: error instanceof SeamHttpInvalidInputError,
      api: error instanceof SeamHttpApiError,
      code: error.code,
      status: error.statusCode,
      request: error.requestId,
      messages: error.getValidationErrorMessages?.('code') ?? []
    }
  }
  return null
}
say({
  errors: {
    unauthorized: await refused(() =>
      new Seam({ apiKey: 'seam_testnobody_111111111111111111111111' }).devices.list()
    ),
    invalid: await refused(() => seam.accessCodes.create({ device_id, code: '12ab' })),
    missing: await refused(() => seam.devices.get({ device_id: '00000000-0000-4000-8000-000000000000' }))
  }
})
