/** Whether a text could be a key to something: a token, a hash, a card number, a person's address. */
export function looksSecret(text: string): boolean {
  return (
    /[^\s@]+@[^\s@]+\.[^\s@]+/.test(text) ||
    /^eyJ[\w-]+\./.test(text) ||
    /^(?:basic|bearer) /i.test(text) ||
    /-----BEGIN /.test(text) ||
    /\d(?:[ -]?\d){11,18}/.test(text) ||
    text.split(/[\s,;"'&?=]+/).some(isTokenLike)
  )
}

/** Long, without spaces, and of letters and digits in a mixture that no word has. */
const isTokenLike = (word: string): boolean =>
  word.length >= 16 &&
  /^[\w+/=.~-]+$/.test(word) &&
  /\d/.test(word) &&
  /[A-Za-z]/.test(word) &&
  (/\d.*[A-Za-z].*\d.*[A-Za-z]/.test(word) || word.length >= 32)

/** Whether the last name of a path says that its content is nobody else's business: `body.user.apiKey`. */
export function namesSecret(path: string): boolean {
  const last = path.split(/[.\s]/).at(-1) ?? ""
  return /pass|secret|token|api_?-?key|private|credential|session|cookie|auth|otp|\bpin\b|cvv|iban|ssn|e-?mail|phone/i.test(
    last,
  )
}
