/**
 * Puts each library that the built program imports into one file of `dist/node_modules`, where the program finds it
 * before any other. Without that a start looks up, reads and compiles a thousand small files, which is most of what it
 * costs, and users wait for it whenever a control plane, an agent or a router starts again.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { rolldown } from "rolldown"

const root = dirname(import.meta.dirname)
const dist = join(root, "dist")
const out = join(dist, "node_modules")
/** Made aside, so that whoever starts meanwhile finds the libraries of before, whole; so does it after an interrupted build. */
const made = join(dist, `.libraries-${process.pid}`)
const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  readonly dependencies: Readonly<Record<string, string>>
}

const libraryOf = (specifier: string): string =>
  specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/")
const subpathOf = (specifier: string): string => specifier.slice(libraryOf(specifier).length)
const entryOf = (specifier: string): string => libraryOf(specifier) + (subpathOf(specifier) || "/index")

/** What our programs import, as they spell it. */
function importedSpecifiers(): readonly string[] {
  const found = new Set<string>()
  for (const folder of ["src", "web", "bench"]) {
    for (const file of readdirSync(join(dist, folder), { recursive: true, encoding: "utf8" })) {
      // What was built of a source that is gone lies there still.
      const source = join(root, folder, file).replace(/\.js$/, ".ts")
      if (!file.endsWith(".js") || !(existsSync(source) || existsSync(`${source}x`))) continue
      const text = readFileSync(join(dist, folder, file), "utf8")
      for (const [, specifier = ""] of text.matchAll(/\b(?:from|import\()\s*"([^".][^"]*)"/g))
        if (libraryOf(specifier) in dependencies) found.add(specifier)
    }
  }
  return [...found].sort()
}

/** Exports the very names that Node shows to whoever imports it, also of a library in CommonJS. */
async function facadeOf(specifier: string): Promise<string> {
  const library = await import(specifier).catch((error: unknown) => {
    throw new Error(`${specifier} cannot be loaded: is it installed? npm run setup does that`, {
      cause: error,
    })
  })
  const names = Object.keys(library).filter((name) => /^[\w$]+$/.test(name))
  return `export { ${names.join(", ")} } from ${JSON.stringify(specifier)}`
}

const specifiers = importedSpecifiers()
const facades = new Map(
  await Promise.all(
    specifiers.map(async (specifier) => [`facade:${specifier}`, await facadeOf(specifier)] as const),
  ),
)
await using bundle = await rolldown({
  cwd: root,
  platform: "node",
  input: Object.fromEntries(specifiers.map((specifier) => [entryOf(specifier), `facade:${specifier}`])),
  // pg asks whether it is there; it is none of ours.
  external: ["pg-native"],
  plugins: [
    {
      name: "facades",
      resolveId: (id) => (facades.has(id) ? id : undefined),
      load: (id) => facades.get(id),
    },
  ],
})
// Those that an interrupted build left.
for (const name of readdirSync(dist))
  if (name.startsWith(".libraries-")) rmSync(join(dist, name), { recursive: true, force: true })
await bundle.write({ dir: made, entryFileNames: "[name].js", chunkFileNames: ".shared/[name]-[hash].js" })

for (const library of new Set(specifiers.map(libraryOf))) {
  const own = specifiers.filter((specifier) => libraryOf(specifier) === library)
  const exports = Object.fromEntries(
    own.map((specifier) => [`.${subpathOf(specifier)}`, `.${subpathOf(specifier) || "/index"}.js`]),
  )
  mkdirSync(join(made, library), { recursive: true })
  writeFileSync(
    join(made, library, "package.json"),
    JSON.stringify({ name: library, type: "module", exports }),
  )
}
if (existsSync(out)) renameSync(out, `${made}-before`)
renameSync(made, out)
rmSync(`${made}-before`, { recursive: true, force: true })
