import { expect, it } from "vitest"
import { wordsOf } from "./container-command.ts"

it("a plain command needs no shell, which the smallest images do not have", () => {
  expect(wordsOf(" node  server.js --port=8080 ")).toEqual(["node", "server.js", "--port=8080"])
})

it.each(["node a.js | tee log", "A=1 node a.js", "echo $HOME", "node 'a b.js'", "a && b", "node a.js\nrm b"])(
  "%s is for a shell to read",
  (command) => expect(wordsOf(command)).toEqual(["sh", "-c", command]),
)
