/**
 * XML as S3 servers write it: elements, text, the predefined and numeric entities, CDATA, comments and processing
 * instructions. Attributes (`xmlns`) are skipped. Document type declarations are refused.
 */
export interface XmlElement {
  /** Without its namespace prefix. */
  readonly name: string;
  /** All character data directly inside, decoded. */
  text: string;
  readonly children: XmlElement[];
}

export class XmlError extends Error {
  override readonly name = 'XmlError';
}

const maxDepth = 32;
const namedEntities: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

/** Returns the root element. */
export function parseXml(source: string): XmlElement {
  const document: XmlElement = { name: '', text: '', children: [] };
  const open: XmlElement[] = [document];
  let at = source.charCodeAt(0) === 0xfeff ? 1 : 0;
  while (at < source.length) {
    const current = open.at(-1) ?? document;
    const tag = source.indexOf('<', at);
    if (tag !== at) {
      const end = tag === -1 ? source.length : tag;
      current.text += decodeEntities(source.slice(at, end));
      at = end;
    } else if (source.startsWith('<?', at)) {
      at = after(source, '?>', at);
    } else if (source.startsWith('<!--', at)) {
      at = after(source, '-->', at);
    } else if (source.startsWith('<![CDATA[', at)) {
      const end = after(source, ']]>', at);
      current.text += source.slice(at + '<![CDATA['.length, end - ']]>'.length);
      at = end;
    } else if (source.startsWith('<!', at)) {
      throw new XmlError('document type declarations are not accepted');
    } else {
      const end = after(source, '>', at);
      takeTag(source.slice(at + 1, end - 1), open);
      at = end;
    }
  }
  const [root, ...others] = document.children;
  if (open.length > 1) throw new XmlError(`<${open.at(-1)?.name}> is not closed`);
  if (root === undefined || others.length > 0 || document.text.trim() !== '')
    throw new XmlError('there is not exactly one root element');
  return root;
}

/** The first child of that name. */
export function childOf(element: XmlElement, name: string): XmlElement | undefined {
  return element.children.find((child) => child.name === name);
}

/** The text of the first child of that name. */
export function textOf(element: XmlElement, name: string): string | undefined {
  return childOf(element, name)?.text;
}

export function escapeXml(text: string): string {
  return text.replace(/[<>&"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

function takeTag(tag: string, open: XmlElement[]): void {
  const current = open.at(-1);
  if (tag.startsWith('/')) {
    const name = localName(tag.slice(1));
    if (open.length === 1 || current?.name !== name) throw new XmlError(`</${name}> closes nothing`);
    open.pop();
    return;
  }
  const isEmpty = tag.endsWith('/');
  const element: XmlElement = { name: localName(isEmpty ? tag.slice(0, -1) : tag), text: '', children: [] };
  current?.children.push(element);
  if (isEmpty) return;
  if (open.length > maxDepth) throw new XmlError(`elements are nested more than ${maxDepth} deep`);
  open.push(element);
}

function localName(tag: string): string {
  const name = /^(?:[^\s:]+:)?([^\s:]+)(?:\s|$)/.exec(tag)?.[1];
  if (name === undefined) throw new XmlError(`<${tag.slice(0, 100)}> is not a tag`);
  return name;
}

function after(source: string, end: string, from: number): number {
  const at = source.indexOf(end, from);
  if (at === -1) throw new XmlError(`${end} is missing`);
  return at + end.length;
}

function decodeEntities(text: string): string {
  if (!text.includes('&')) return text;
  return text.replace(
    /&(?:#([0-9]{1,7})|#x([0-9a-fA-F]{1,6})|([a-z]{1,5}))?;?/g,
    (entity, decimal, hex, name) => {
      const code = decimal === undefined ? Number.parseInt(String(hex), 16) : Number(decimal);
      const character = name === undefined ? characterOf(code) : namedEntities[String(name)];
      if (character === undefined || !entity.endsWith(';')) throw new XmlError(`${entity} is not an entity`);
      return character;
    },
  );
}

function characterOf(code: number): string | undefined {
  const exists = code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
  return exists ? String.fromCodePoint(code) : undefined;
}
