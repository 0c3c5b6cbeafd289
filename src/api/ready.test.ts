import { expect, it } from "vitest"
import type { ApiParts } from "./parts.ts"
import { createApi } from "./server.ts"

it("a request that comes while the journal is still being read waits, and is not told that there is nothing", async () => {
  const { promise: ready, resolve } = Promise.withResolvers<void>()
  let apps: readonly string[] = []
  const engine = { apps: () => apps, state: () => undefined } as unknown as ApiParts["engine"]
  const clock = { mono: () => 0 }
  const api = await createApi({ engine, clock, ready, token: "t" } as unknown as ApiParts)
  let answered = false
  const asked = api.inject({ method: "GET", url: "/v1/apps" }).then((answer) => {
    answered = true
    return answer
  })
  await new Promise((done) => setTimeout(done, 50))
  expect(answered).toBe(false)
  apps = []
  resolve()
  expect((await asked).statusCode).toBe(200)
  await api.close()
})
