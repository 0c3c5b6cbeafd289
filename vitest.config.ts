import { defineConfig } from "vitest/config"
import { BaseSequencer, type TestSpecification } from "vitest/node"

/** What starts the whole system, or many worlds, begins before the rest: the longest of them alone at the end would keep one core idle. */
class WholeSystemsFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isWhole = ({ moduleId }: TestSpecification) => /\/(test\/(e2e|faults)|sim)\//.test(moduleId)
    const sorted = await super.sort(files)
    return [...sorted.filter(isWhole), ...sorted.filter((file) => !isWhole(file))]
  }
}

export default defineConfig({
  test: {
    include: [
      "src/**/*.test.ts",
      "src/**/*.test.tsx",
      "web/**/*.test.ts",
      "web/**/*.test.tsx",
      "sim/**/*.test.ts",
      "conformance/**/*.test.ts",
      "test/**/*.test.ts",
    ],
    testTimeout: 300_000,
    hookTimeout: 600_000,
    maxWorkers: 2,
    sequence: { sequencer: WholeSystemsFirst },
    reporters: ["default"],
  },
})
