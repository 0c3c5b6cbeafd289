import { join } from "node:path"

/** `plain`: everything to one pool. `full`: shares of 90 and 10, users kept on their side. `tls`: that over TLS. */
export type Mode = "plain" | "full" | "tls"

export type Pools = { readonly stable: number; readonly canary: number }

type Tls = { readonly cert: string; readonly key: string; readonly pem: string } | undefined

const nginxHead = (dir: string, name: string) => `daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid ${join(dir, `${name}.pid`)};
error_log stderr error;
events { worker_connections 8192; }
http {
  access_log off;
  keepalive_requests 100000000;
  keepalive_timeout 300s;
  client_body_temp_path ${join(dir, "tmp", `${name}-body`)};
  proxy_temp_path ${join(dir, "tmp", `${name}-proxy`)};
  fastcgi_temp_path ${join(dir, "tmp", `${name}-fastcgi`)};
  uwsgi_temp_path ${join(dir, "tmp", `${name}-uwsgi`)};
  scgi_temp_path ${join(dir, "tmp", `${name}-scgi`)};
`

/** Who answers: one kilobyte, from the cheapest server there is, so that what lies before it shows. */
export const backend = (dir: string, { stable, canary }: Pools): string =>
  `${nginxHead(dir, "backend")}
  server { listen 127.0.0.1:${stable}; location / { default_type text/plain; return 200 "${"s".repeat(1_024)}"; } }
  server { listen 127.0.0.1:${canary}; location / { default_type text/plain; return 200 "${"c".repeat(1_024)}"; } }
}
`

/** HAProxy with what the embedded router does too: the same headers for the instance, the same shares. */
export const haproxyConfig = (
  port: number,
  { stable, canary }: Pools,
  mode: Mode,
  tls: Tls,
): string => `global
  nbthread 1
  maxconn 4000
defaults
  mode http
  timeout connect 2s
  timeout client 75s
  timeout server 60s
  timeout http-request 10s
  timeout http-keep-alive 75s
  retries 2
  option redispatch
  option idle-close-on-response
  http-reuse safe
frontend users
  bind 127.0.0.1:${port}${tls ? ` ssl crt ${tls.pem} alpn http/1.1` : ""}
  option forwardfor
  http-request set-header X-Forwarded-Proto ${tls ? "https" : "http"}
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  unique-id-format %{+X}o%ts-%rt-%pid
  unique-id-header X-Request-Id
${
  mode === "plain"
    ? ""
    : `  http-request set-var(txn.point) req.cook(user),xxh32(7),mod(10000)
  use_backend canary if { var(txn.point) -m int lt 1000 }
`
}  default_backend stable
backend stable
  server s1 127.0.0.1:${stable}
backend canary
  server c1 127.0.0.1:${canary}
`

export const nginxConfig = (
  dir: string,
  port: number,
  { stable, canary }: Pools,
  mode: Mode,
  tls: Tls,
): string =>
  `${nginxHead(dir, `nginx-${mode}`)}
  upstream stable { server 127.0.0.1:${stable}; keepalive 128; keepalive_requests 100000000; }
  upstream canary { server 127.0.0.1:${canary}; keepalive 128; keepalive_requests 100000000; }
  split_clients "$cookie_user" $pool { 10% canary; * stable; }
  server {
    listen 127.0.0.1:${port}${tls ? " ssl" : ""} backlog=1024;
    ${tls ? `ssl_certificate ${tls.cert}; ssl_certificate_key ${tls.key};` : ""}
    location / {
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $host;
      proxy_set_header X-Request-Id $request_id;
      proxy_pass http://${mode === "plain" ? "stable" : "$pool"};
    }
  }
}
`

export const caddyfile = (port: number, { stable }: Pools): string => `{
  admin off
  auto_https off
  log {
    output discard
  }
}
http://127.0.0.1:${port}, http://shop.test:${port} {
  reverse_proxy 127.0.0.1:${stable} {
    transport http {
      keepalive_idle_conns_per_host 256
    }
  }
}
`
