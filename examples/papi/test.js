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

await test("it is healthy", async () => {
  const answer = await fetch(`${url}/healthz`)
  if (answer.status !== 200) throw new Error(`status ${answer.status}`)
})
await test("it lists items", async () => {
  const answer = await fetch(`${url}/items`)
  const { price } = await answer.json()
  if (answer.status !== 200 || price === undefined) throw new Error(`status ${answer.status}`)
})
process.exit(failed > 0 ? 1 : 0)
