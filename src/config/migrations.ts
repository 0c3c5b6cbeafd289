import type { Policy } from "../core/model/policy.ts"

type Warning = { readonly path: readonly string[]; readonly message: string }

/** What a declaration of migrations leads to that its writer may not expect. */
export function migrationWarnings({ migrations, run, rollback }: Policy): readonly Warning[] {
  if (!migrations) return []
  const { contract, window, paths } = migrations
  const warnings: Warning[] = []
  if (contract.length > 0 && window === undefined && run.keep > 0)
    warnings.push({
      path: ["migrations", "contract"],
      message:
        "without migrations.window every contract step waits until a person gives the kept pool up; say how long one may go back: window: 24h",
    })
  if (window !== undefined && contract.length === 0)
    warnings.push({
      path: ["migrations", "window"],
      message: "a window holds contract steps back, and none is declared; add contract: [globs]",
    })
  const both = [...paths, ...contract].find((glob) => rollback.irreversible.includes(glob))
  if (both !== undefined)
    warnings.push({
      path: ["migrations"],
      message: `"${both}" is also in rollback.irreversible: what matches gives up the kept pool when it starts and never goes back by itself; keep one of the two`,
    })
  return warnings
}
