/** Files that change what releases share: those that only add, and those that take away what older releases need. */
export type Migrations = { readonly expand: readonly string[]; readonly contract: readonly string[] }
