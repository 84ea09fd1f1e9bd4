// Verifies a webhook's request by Seam's own helper: `{secret, body, headers}` on stdin, the event's type on stdout.
import { readFileSync } from 'node:fs'
import { SeamWebhook } from 'seam'

const { secret, body, headers } = JSON.parse(readFileSync(0, 'utf8'))
const event = new SeamWebhook(secret).verify(body, headers)
console.log(event.event_type)
