/**
 * Makes secrets unreadable wherever they are stored. `purpose` says what a secret is for (application and key): what
 * was sealed for one purpose cannot be opened for another.
 */
export interface Sealer {
  seal(text: string, purpose: string): string
  /** Throws an Error with a sentence when the text was sealed with another key, for another purpose, or changed. */
  open(sealed: string, purpose: string): string
}

/** What a key of an application's configuration is sealed for. */
export const configPurpose = (app: string, key: string): string => `configuration ${app} ${key}`
