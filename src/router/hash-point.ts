/** A point of [0, 1) that a key always has under the same salt. */
export function pointOf(salt: string, key: string): number {
  // MurmurHash3's mixing over two lanes: the shares of a thousand keys already come out even.
  let a = 0xdeadbeef ^ salt.length
  let b = 0x41c6ce57 ^ key.length
  const text = `${salt}\0${key}`
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    a = Math.imul(a ^ code, 2_654_435_761)
    b = Math.imul(b ^ code, 1_597_334_677)
  }
  a = Math.imul(a ^ (a >>> 16), 2_246_822_507) ^ Math.imul(b ^ (b >>> 13), 3_266_489_909)
  b = Math.imul(b ^ (b >>> 16), 2_246_822_507) ^ Math.imul(a ^ (a >>> 13), 3_266_489_909)
  return ((b & 0x1fffff) * 0x1_0000_0000 + (a >>> 0)) / 0x20_0000_0000_0000
}
