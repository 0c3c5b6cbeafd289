import { expect, it } from "vitest"
import { originOf } from "./origin.ts"

it.each([
  ["https://git.example.com/shop/papi.git", "https://git.example.com/shop/papi.git"],
  ["https://ana:secret@git.example.com/shop/papi", "https://git.example.com/shop/papi"],
  ["https://ana:p@ss@git.example.com/papi", "https://git.example.com/papi"],
  ["https://ana:p/ss@git.example.com/papi", undefined],
  ["https://ana:p?ss@git.example.com/papi", undefined],
  ["https://ana:p#ss@git.example.com/papi", undefined],
  ["https://git.example.com/papi?token=secret#secret", "https://git.example.com/papi"],
  ["ssh://git@git.example.com:2222/shop/papi.git", "ssh://git.example.com:2222/shop/papi.git"],
  ["git@git.example.com:shop/papi.git", "ssh://git.example.com/shop/papi.git"],
  ["https://git.example.com/$HOME", undefined],
  ['https://git.example.com/a"b', undefined],
  ["https://git.example.com/a\\b", undefined],
  ["/srv/git/papi", undefined],
  ["file:///srv/git/papi", undefined],
  ["../papi", undefined],
  [`https://git.example.com/${"x".repeat(2_000)}`, undefined],
])(
  "of %s the source is told as %s: without credentials, and only where others can follow it",
  (url, source) => {
    expect(originOf(url, 1_000)).toEqual({ source, committedAt: 1_000 })
  },
)

it.each([-1, 1.5, Number.NaN, 9e15])("a commit of the moment %s has no date that can be told", (at) => {
  expect(originOf("", at)).toEqual({ source: undefined, committedAt: undefined })
})
