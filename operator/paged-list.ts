import { isExpired } from './errors.ts';
import type { KubernetesApi, ListOptions, ListPage } from './kubernetes-api.ts';
import type { KubernetesObject, ResourceType } from './kubernetes-object.ts';

export interface WholeList<T> {
  readonly items: readonly T[];
  readonly resourceVersion: string;
}

/**
 * All objects of one state, read in pages so that no answer is huge. A page token that has expired (the list took longer
 * than the server keeps old states, five minutes by default) makes it begin again, then without pages.
 */
export async function listAll<T extends KubernetesObject>(
  api: Pick<KubernetesApi, 'list'>,
  type: ResourceType<T>,
  options: Omit<ListOptions, 'continueToken'> & { readonly limit: number },
): Promise<WholeList<T>> {
  try {
    return await listPages(api, type, options);
  } catch (error) {
    // At an exact version the first page expires too, and another try would not help.
    if (!isExpired(error) || options.exactly !== undefined) throw error;
    return await api.list(type, { ...options, limit: undefined });
  }
}

async function listPages<T extends KubernetesObject>(
  api: Pick<KubernetesApi, 'list'>,
  type: ResourceType<T>,
  options: ListOptions,
): Promise<WholeList<T>> {
  const items: T[] = [];
  let page: ListPage<T> = await api.list(type, options);
  items.push(...page.items);
  while (page.continueToken !== undefined) {
    const { continueToken } = page;
    page = await api.list(type, { ...options, exactly: undefined, continueToken });
    items.push(...page.items);
  }
  return { items, resourceVersion: page.resourceVersion };
}
