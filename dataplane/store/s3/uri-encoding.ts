const unreserved = /^[A-Za-z0-9\-._~]*$/;
const unreservedPath = /^[A-Za-z0-9\-._~/]*$/;

/** Percent-encodes all but RFC 3986's unreserved characters, as Signature Version 4 demands. Throws URIError on lone surrogates. */
export function encodeUriComponent(text: string): string {
  if (unreserved.test(text)) return text;
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** The same, but keeps `/`. */
export function encodeUriPath(path: string): string {
  return unreservedPath.test(path) ? path : path.split('/').map(encodeUriComponent).join('/');
}

/** The query string in canonical form: encoded, sorted by name. Parameters that are `undefined` are left out. */
export function canonicalQuery(parameters: Readonly<Record<string, string | undefined>>): string {
  const pairs: string[] = [];
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined) pairs.push(`${encodeUriComponent(name)}=${encodeUriComponent(value)}`);
  }
  return pairs.sort().join('&');
}

/** Undoes what `encoding-type=url` does to the keys of a list: there a space may be `+`. */
export function decodeListed(text: string): string {
  return decodeURIComponent(text.replaceAll('+', ' '));
}
