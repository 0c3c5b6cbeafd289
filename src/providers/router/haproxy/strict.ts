/**
 * What HAProxy would pass on though two readers could take it for different things, or for another hop's. `lua`:
 * whether it can also take out what Connection names; without, those fields go on.
 */
export const strictRules = (lua: boolean): readonly string[] => [
  "  http-request return status 505 content-type text/plain string version if !{ req.ver 1.0 1.1 }",
  "  http-request deny deny_status 405 if { method CONNECT TRACE }",
  "  http-request deny deny_status 400 if { req.hdr_cnt(host) gt 1 }",
  "  http-request deny deny_status 400 if { req.ver 1.1 } !{ req.hdr(host) -m found }",
  "  http-request deny deny_status 400 if { req.hdrs -m reg '\\x00' }",
  ...(lua ? unnaming("req") : []),
  "  http-request del-header Keep-Alive",
  "  http-request del-header Proxy-Connection",
  "  http-request del-header TE",
  "  http-request del-header Connection if !{ req.hdr(upgrade) -m found }",
  // A connection that its instance closed while it rested: only what may be made twice is made again.
  "  http-request disable-l7-retry if !{ method GET HEAD OPTIONS }",
]

export const strictAnswerRules = (lua: boolean): readonly string[] => [
  "  http-response deny deny_status 502 if { res.hdrs -m reg '\\x00' }",
  ...(lua ? unnaming("res") : []),
  "  http-response del-header Keep-Alive",
  "  http-response del-header Proxy-Connection",
  "  http-response del-header Connection if !{ status 101 }",
]

/** Nearly every message names nothing but the usual, alone: no Lua runs for those. */
function unnaming(of: "req" | "res"): readonly string[] {
  const rule = `  ${of === "req" ? "http-request lua.unname_request" : "http-response lua.unname_answer"}`
  return [
    `${rule} if { ${of}.hdr_cnt(connection) gt 1 }`,
    `${rule} if { ${of}.hdr_cnt(connection) eq 1 } !{ ${of}.hdr(connection) -i close keep-alive upgrade }`,
  ]
}

/** HAProxy's own rules delete fields by names that are known before; these are told by each message. */
export const unnamingProgram = `-- What says how long a message is and whom it is for stays, whatever Connection claims.
local stays = {
  ["connection"] = true, ["upgrade"] = true, ["host"] = true,
  ["content-length"] = true, ["transfer-encoding"] = true,
}

local function named(headers)
  local found = {}
  local values = headers["connection"]
  local at = 0
  while values and values[at] do
    for name in values[at]:lower():gmatch("[^,%s]+") do
      if not stays[name] then found[name] = true end
    end
    at = at + 1
  end
  return found
end

core.register_action("unname_request", { "http-req" }, function(txn)
  for name in pairs(named(txn.http:req_get_headers())) do txn.http:req_del_header(name) end
end, 0)

core.register_action("unname_answer", { "http-res" }, function(txn)
  for name in pairs(named(txn.http:res_get_headers())) do txn.http:res_del_header(name) end
end, 0)
`
