import { describe, expect, it } from "vitest"
import { readAddress, readBranch, readCommitId } from "./git-address.ts"

describe("a repository's address", () => {
  it("is https, ssh, scp-like or an absolute path", () => {
    for (const url of [
      "https://github.com/acme/papi.git",
      "https://git.example:8443/a/b",
      "ssh://git@github.com/acme/papi.git",
      "ssh://git.example:2222/papi",
      "git@github.com:acme/papi.git",
      "git.example:papi",
    ])
      expect(readAddress(url)).toEqual({ url, protocols: "https:ssh" })
    expect(readAddress("/srv/git/papi.git")).toEqual({ url: "/srv/git/papi.git", protocols: "file" })
  })

  const hostile = [
    "",
    "--upload-pack=touch PWN",
    "--upload-pack=touch$IFS;PWN;",
    "-oProxyCommand=touch",
    "ext::sh -c touch% PWN",
    "ext::sh",
    "EXT::sh",
    "fd::17",
    "transport::https://example.com/x",
    "https::https://example.com/x",
    "file:///etc",
    "FILE:///etc",
    "file://localhost/etc",
    "http://example.com/x.git",
    "git://example.com/x.git",
    "ftp://example.com/x",
    "gopher://example.com/x",
    "javascript://x",
    "ssh://-oProxyCommand=touch/x",
    "ssh://-oProxyCommand=touch@host/x",
    "ssh://git@-oProxyCommand=touch/x",
    "ssh://git:secret@host/x",
    "https://user@example.com/x",
    "https://user:secret@example.com/x",
    "https://example.com/x?y=z",
    "https://example.com/x#y",
    "https://",
    "https://example.com",
    "https://example.com:x/y",
    "https://①②⑦.0.0.1/x",
    "https://a@b@c/x",
    "https://@host/x",
    "https://:@host/x",
    "https:///etc/passwd",
    "ssh:///etc/passwd",
    "-oProxyCommand=x:path",
    "git@-oProxyCommand=x:path",
    "-x@host:path",
    "git@host:--upload-pack=x",
    "git@host:-x",
    "host with space:path",
    "git@host:path\nwith line",
    "https://example.com/\u0000x",
    "https://example.com/\r\nHost: evil",
    "/srv/git\n/papi",
    "\\\\server\\share",
    "C:\\repo",
    "./relative",
    "../relative",
    "relative",
    "~/papi",
    "$HOME/papi",
    "`id`",
    `https://example.com/${"x".repeat(2_000)}`,
  ]
  for (const url of hostile)
    it(`is refused when it is ${JSON.stringify(url).slice(0, 60)}`, () => {
      expect(() => readAddress(url)).toThrow(/is refused: .*Use https:/)
    })

  it("does not repeat a password when it is refused", () => {
    expect(() => readAddress("https://eva:hunter2@example.com/x")).toThrow(/^(?!.*hunter2)/)
  })
})

describe("a branch", () => {
  it("is a plain name", () => {
    for (const name of ["main", "release/2.1", "feature/#12_x", "v1", "a@b", "x+y=z"])
      expect(readBranch(name)).toBe(name)
  })
  for (const name of [
    "",
    "-x",
    "--output=FILE",
    "--upload-pack=x",
    "a..b",
    "a//b",
    "/a",
    "a/",
    "a.",
    ".a",
    "a/.b",
    "a.lock",
    "a.lock/b",
    "a b",
    "a\nb",
    "a:b",
    "+a",
    "a^",
    "a~1",
    "a?",
    "a*",
    "a[b]",
    "a\\b",
    "@{u}",
    "a@{1}",
    "refs/heads/x:refs/heads/y",
    "$(id)",
    "a\u0000",
    "x".repeat(300),
  ])
    it(`is refused when it is ${JSON.stringify(name).slice(0, 60)}`, () => {
      expect(() => readBranch(name)).toThrow(/is refused/)
    })
})

describe("a commit id", () => {
  it("is full and in lower-case hex, nothing else", () => {
    expect(readCommitId("a".repeat(40))).toBe("a".repeat(40))
    expect(readCommitId("0".repeat(64))).toBe("0".repeat(64))
    for (const id of [
      "",
      "HEAD",
      "main",
      "a".repeat(39),
      "A".repeat(40),
      "a".repeat(41),
      `--output=${"a".repeat(31)}`,
      `${"a".repeat(40)}\n`,
    ])
      expect(() => readCommitId(id)).toThrow(/is not a commit id/)
  })
})
