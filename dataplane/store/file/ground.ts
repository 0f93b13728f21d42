import { ChainReader } from './chain.ts';
import type { FileSystem } from './file-system.ts';
import { Folders } from './folders.ts';
import type { Layout } from './layout.ts';
import { MetadataLinks } from './metadata.ts';

/** What every part of a store on a directory works with. */
export interface Ground {
  readonly fs: FileSystem;
  readonly layout: Layout;
  readonly folders: Folders;
  readonly metadataLinks: MetadataLinks;
  readonly chains: ChainReader;
}

export function groundOf(fs: FileSystem, layout: Layout): Ground {
  const metadataLinks = new MetadataLinks(fs, layout);
  return {
    fs,
    layout,
    folders: new Folders(fs, layout),
    metadataLinks,
    chains: new ChainReader(fs, layout, metadataLinks),
  };
}
