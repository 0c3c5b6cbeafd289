import { expect, it } from "vitest"
import { nothing } from "../core/pipeline/nothing.ts"
import { served } from "../testing/core-stories.ts"
import { Shelf } from "./shelf.ts"

it("a state that was put away is the same again, to what is undefined and what its parts share", () => {
  const shelf = new Shelf(1)
  const state = served().state
  const place = shelf.place(state)
  shelf.place("another")
  const again = place.get()
  expect(again).not.toBe(state)
  expect(again).toStrictEqual(state)
  const [release] = Object.values(again.releases)
  expect(Object.values(again.rollouts)[0]?.policy).toBe(release?.policy)
})

it("what was used last lies open, the others do not, however many there are", () => {
  const shelf = new Shelf(2)
  const values = Array.from({ length: 20 }, (_, i) => nothing(`app-${i}`))
  const places = values.map((value) => shelf.place(value))
  const isOpen = (i: number) => places[i]?.get() === values[i]
  expect([isOpen(19), isOpen(18)]).toEqual([true, true])
  expect(isOpen(0)).toBe(false)
  expect(places.map((place) => place.get().app)).toEqual(values.map(({ app }) => app))
})

it("what is used again and again stays where it is while others pass", () => {
  const shelf = new Shelf(3)
  const value = nothing("papi")
  const place = shelf.place(value)
  for (let i = 0; i < 50; i++) {
    expect(place.get()).toBe(value)
    shelf.place(nothing(`app-${i}`))
  }
})

it("a new value takes the place of one that was put away", () => {
  const shelf = new Shelf(1)
  const place = shelf.place("old")
  shelf.place("another")
  place.set("new")
  shelf.place("a third")
  expect(place.get()).toBe("new")
})

it("what is looked at in passing lies as it lay, and takes no place from what is used", () => {
  const shelf = new Shelf(1)
  const place = shelf.place({ seen: 1 })
  const used = shelf.place({ seen: 2 })
  const before = used.get()
  place.borrow()
  const lent = place.get()
  expect([lent, place.get() === lent, used.get() === before]).toEqual([{ seen: 1 }, true, true])
  place.giveBack()
  expect([place.get() === lent, place.get()]).toEqual([false, { seen: 1 }])
})

it("what is replaced while it is looked at in passing stays", () => {
  const shelf = new Shelf(1)
  const place = shelf.place("old")
  shelf.place("another")
  place.borrow()
  place.lend("seen in passing")
  place.giveBack()
  expect(place.peek()).toBe("seen in passing")
  place.borrow()
  place.set("new")
  place.giveBack()
  expect(place.get()).toBe("new")
})
