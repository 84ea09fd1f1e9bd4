// The part of an application that runs in a browser, with today's SDK: a publishable key, then a client session.
import { SeamHttp, isSeamHttpApiError, isSeamHttpUnauthorizedError } from 'seam'

const endpoint = process.env.SEAM_ENDPOINT
const seam = SeamHttp.fromApiKey(process.env.SEAM_API_KEY, { endpoint })
await seam.workspaces.update({ is_publishable_key_auth_enabled: true })
const { publishable_key: key } = await seam.workspaces.get()
const [lock, other] = await seam.locks.list()

const own = await SeamHttp.fromPublishableKey(key, 'jane', { endpoint })
const before = await own.devices.list()
const session = await seam.clientSessions.getOrCreate({
  user_identifier_key: 'jane',
  connected_account_ids: [lock.connected_account_id],
})
const browser = SeamHttp.fromClientSessionToken(session.token, { endpoint })
const after = await browser.devices.list()
const mine = await browser.clientSessions.get()
const attempt = await browser.locks.unlockDoor({ device_id: lock.device_id }, { waitForActionAttempt: true })
const grant = await seam.accessGrants.create({
  user_identity: { full_name: 'Jane Doe' },
  device_ids: [lock.device_id, other.device_id],
  requested_access_methods: [{ mode: 'code' }],
})

const refused = async (work) => {
  try {
    await work()
  } catch (error) {
    return { unauthorized: isSeamHttpUnauthorizedError(error), code: isSeamHttpApiError(error) ? error.code : null }
  }
}
const forbidden = await refused(async () => await browser.webhooks.list())
const foreign = await refused(async () => await browser.devices.get({ device_id: 'nobody' }))
await seam.clientSessions.revoke({ client_session_id: session.client_session_id })
const revoked = await refused(async () => await browser.devices.list())

console.log(
  JSON.stringify({
    before: before.length,
    after: after.map((one) => one.device_id),
    same: mine.client_session_id === session.client_session_id,
    attempt: attempt.status,
    methods: grant.access_method_ids.length,
    forbidden,
    foreign,
    revoked,
  }),
)
