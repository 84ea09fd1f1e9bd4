// The official fake, started as its own tests do (createFake, seed, startServer), holding our devices and events.
// usage: node fake.mjs PORT FILE, FILE being JSON: { "device": {…}, "devices": n, "event": {…}, "events": n }
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

process.env.NODE_ENV = 'production'
const require = createRequire(new URL('../tests/npm/package.json', import.meta.url))
const { createFake } = require('@seamapi/fake-seam-connect')

const [, , port, file] = process.argv
const plan = JSON.parse(readFileSync(file, 'utf8'))
const fake = await createFake()
const seed = await fake.seed()
const state = await fake.toJSON()

const uuid = (kind, n) => `${kind}0000-0000-4000-8000-${String(n).padStart(12, '0')}`
const start = Date.parse(plan.start)
const owned = { workspace_id: seed.seed_workspace_1, connected_account_id: seed.john_connected_account_id }
const devices = Array.from({ length: plan.devices }, (_, n) => ({
  ...structuredClone(plan.device),
  ...owned,
  device_id: uuid('00de', n),
  device_type: 'august_lock', // its list of locks has no intercoms
  created_at: new Date(start + n).toISOString()
}))
const events = Array.from({ length: plan.events }, (_, n) => ({
  ...plan.event,
  ...owned,
  event_id: uuid('00e0', n),
  device_id: devices[n % devices.length].device_id,
  created_at: new Date(start + n).toISOString(),
  occurred_at: new Date(start + n).toISOString()
}))
await fake.loadJSON({ ...state, devices, events })
await fake.startServer({ port: Number(port) })
process.stdout.write(JSON.stringify({ key: seed.seam_apikey1_token, devices: devices.slice(0, 1000).map((it) => it.device_id) }) + '\n')
