import type { RouteView } from "../api/contract/views.ts"

/** The routes of this moment for nginx 1.18 and newer, to be included inside of its `http { … }`. */
export function nginxConfiguration(app: string, routes: readonly RouteView[]): string {
  return [
    `# ${app} as it was routed when this was written, by immunity export nginx. nginx follows no later change.`,
    "# Include it inside of http { … }.",
    ...nginxLacks(routes).map((lack) => `# NOT AS IMMUNITY DOES IT: ${lack}`),
    "",
    ...routes.flatMap(route),
  ].join("\n")
}

/** What nginx does otherwise, or cannot do at all; each in a sentence. */
export const nginxLacks = (routes: readonly RouteView[]): readonly string[] => [
  "requests are copied nowhere: nginx would let users wait for its mirror",
  ...routes.flatMap((view) => {
    const keyed = view.sticky.by !== "none" && view.pools.filter(({ weight }) => weight > 0).length > 1
    const own = view.selection ? `selection: ${view.selection} cannot be kept` : "as everybody's"
    return [
      ...(keyed
        ? [
            `${view.route}: users may be on another side than before, ${own}: nginx splits by a hash of its own`,
          ]
        : []),
      ...(view.holdRequests
        ? [`${view.route}: holdRequests: nginx lets nobody wait for a swap; at a reload two releases overlap`]
        : []),
      ...(firstOf(view).length < (view.first?.pool === undefined ? 0 : view.first.keys.length)
        ? [
            `${view.route}: sticky.first: nobody is in ${view.first?.pool}; listed users are where everybody is`,
          ]
        : []),
    ]
  }),
]

function route(view: RouteView): readonly string[] {
  const name = view.route.replaceAll(/[^A-Za-z0-9]/g, "_")
  const pools = view.pools.filter((pool) => pool.instances.length > 0)
  const upstreamOf = (pool: string) => `${name}_${pool.replaceAll(/[^A-Za-z0-9]/g, "_")}`
  const upstreams = pools.flatMap((pool) => [
    `upstream ${upstreamOf(pool.pool)} {`,
    "  least_conn;",
    ...pool.instances.map(({ id, address }) => `  server ${address}; # ${id}`),
    "  keepalive 32;",
    "}",
    "",
  ])
  const shares = sharesOf(view, upstreamOf)
  const listening = [`server {`, `  listen ${view.listen};`]
  if (shares.length === 0)
    return [`# ${view.route}: nobody is there to answer.`, ...listening, "  return 503;", "}", ""]
  return [
    `# ${view.route}: ${view.pools.map(({ pool, weight }) => `${weight} % to ${pool}`).join(", ")}`,
    ...upstreams,
    ...userOf(view, name),
    `split_clients "${quoted(view.salt)}$${name}_user" $${name}_share {`,
    ...shares,
    "}",
    // By regular expressions: everything else in a map is compared without regard to capitals.
    `map $${name}_user $${name}_pool {`,
    ...firstOf(view).map((key) => `  "~^${literal(key)}$" ${upstreamOf(view.first?.pool ?? "")};`),
    `  default $${name}_share;`,
    "}",
    `map $http_upgrade $${name}_connection {`,
    `  "" "";`,
    "  default upgrade;",
    "}",
    ...listening,
    ...assigned(view, name),
    "  client_max_body_size 0;",
    "  location / {",
    `    proxy_pass http://$${name}_pool;`,
    "    proxy_http_version 1.1;",
    "    proxy_buffering off;",
    "    proxy_request_buffering off;",
    "    proxy_next_upstream error;",
    "    proxy_next_upstream_tries 2;",
    "    proxy_set_header Host $http_host;",
    "    proxy_set_header Upgrade $http_upgrade;",
    `    proxy_set_header Connection $${name}_connection;`,
    "    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
    "    proxy_set_header X-Forwarded-Proto $scheme;",
    "    proxy_set_header X-Forwarded-Host $http_host;",
    "  }",
    "}",
    "",
  ]
}

/** The parts of a split; the stable pool comes last and takes the rest, also that of pools with nobody in them. */
function sharesOf(view: RouteView, upstreamOf: (pool: string) => string): readonly string[] {
  const there = view.pools.filter((pool) => pool.instances.length > 0)
  const rest = there.find((pool) => pool.pool === view.stable) ?? there.find((pool) => pool.weight > 0)
  if (!rest) return []
  const others = there
    .filter((pool) => pool !== rest && pool.weight > 0)
    .toSorted((a, b) => (a.pool < b.pool ? -1 : 1))
  return [
    ...others.map(({ pool, weight }) => `  ${Math.round(weight * 100) / 100}% ${upstreamOf(pool)};`),
    `  * ${upstreamOf(rest.pool)};`,
  ]
}

/** Listed users, where their pool has anybody who could answer them. */
const firstOf = ({ first, pools }: RouteView): readonly string[] =>
  first && pools.some(({ pool, instances }) => pool === first.pool && instances.length > 0) ? first.keys : []

/** A key as itself, inside of a quoted regular expression: there nginx takes a dollar for itself only before a name. */
const literal = (key: string): string =>
  key.replaceAll(/[^A-Za-z0-9_-]/g, (sign) => `\\x${sign.charCodeAt(0).toString(16).padStart(2, "0")}`)

/** What a user is recognised by; whoever brings nothing is split by what else there is. */
function userOf({ sticky }: RouteView, name: string): readonly string[] {
  const map = (from: string, otherwise: string) => [
    `map ${from} $${name}_user {`,
    `  "" ${otherwise};`,
    `  default ${from};`,
    "}",
  ]
  const given = sticky.name ?? ""
  switch (sticky.by) {
    case "cookie":
      return [
        `map $http_cookie $${name}_cookie {`,
        `  "~(?:^|;\\s*)${given.replaceAll(/[^\w-]/g, "\\$&")}=([^;]+)" $1;`,
        `  default "";`,
        "}",
        ...map(`$${name}_cookie`, "$request_id"),
      ]
    case "header":
      return map(`$http_${given.toLowerCase().replaceAll(/[^a-z0-9]/g, "_")}`, "$remote_addr")
    case "address":
      return map("$remote_addr", "$request_id")
    default:
      return map("$request_id", "$remote_addr")
  }
}

/** Who has no cookie yet gets one: the same value that the user was split by just now. */
function assigned({ sticky }: RouteView, name: string): readonly string[] {
  if (sticky.by !== "cookie") return []
  const value = `${sticky.name}=$request_id; Path=/; SameSite=Lax; HttpOnly; Max-Age=2592000`
  return [
    `  set $${name}_assigned "";`,
    `  if ($${name}_cookie = "") {`,
    `    set $${name}_assigned "${value}";`,
    "  }",
    `  add_header Set-Cookie $${name}_assigned always;`,
  ]
}

const quoted = (text: string): string => text.replaceAll(/["\\$]/g, "_")
