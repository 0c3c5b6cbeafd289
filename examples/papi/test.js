// Integration tests: run in every region against the address of the new instances, before any user meets them.
const url = process.env.IMMUNITY_URL
let failed = 0

async function test(name, check) {
  try {
    await check()
    console.log(`ok   ${name}`)
  } catch (error) {
    failed++
    console.log(`FAIL ${name}: ${error.message}`)
  }
}

// One request of a thousand fails, in production as well: a release is not bad because a test met that one.
async function ask(path, tries = 3) {
  const answer = await fetch(`${url}${path}`)
  return answer.status >= 500 && tries > 1 ? ask(path, tries - 1) : answer
}

await test("it is healthy", async () => {
  const answer = await ask("/healthz")
  if (answer.status !== 200) throw new Error(`status ${answer.status}`)
})
await test("it lists items", async () => {
  const answer = await ask("/items")
  const { price } = await answer.json()
  if (answer.status !== 200 || price === undefined) throw new Error(`status ${answer.status}`)
})
process.exit(failed > 0 ? 1 : 0)
