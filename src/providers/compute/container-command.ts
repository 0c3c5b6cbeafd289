/** Small images have no shell, so a plain command needs none; anything that a shell must read goes to `sh`. */
export function wordsOf(command: string): readonly string[] {
  return /^[\w@%+=:,./ -]+$/.test(command) && !/^\s*\w+=/.test(command)
    ? command.trim().split(/\s+/)
    : ["sh", "-c", command]
}
