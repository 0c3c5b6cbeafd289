import { defineConfig } from "vitest/config"

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
    reporters: ["default"],
  },
})
