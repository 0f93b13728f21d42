import type { Finding } from './finding.ts';
import { printable, sizeText } from './text-table.ts';
import type { VerifySummary } from './verify.ts';

/** A finding for people. */
export function findingText({ severity, code, key, what, meaning, advice }: Finding): string {
  const head = `${severity === 'info' ? 'info' : severity.toUpperCase()} ${code}  ${printable(key)}\n`;
  const lines = [`  what   ${printable(what)}\n`, `  means  ${meaning}\n`, `  do     ${advice}\n`];
  return severity === 'info' ? head + lines.slice(0, 2).join('') : head + lines.join('');
}

/** The last lines of a verification. */
export function summaryText(summary: VerifySummary): string {
  const { counters, totals, untold, deep } = summary;
  const more = Object.entries(untold).map(
    ([code, count]) => `${count} more findings ${code} were counted and not shown\n`,
  );
  const seen =
    `${summary.store}: ${summary.objects} objects (${sizeText(summary.bytes)}), ${counters.groups} partition groups, ` +
    `${counters.segments} segments, ${counters.sessions} sessions, ${counters.slots} slots, ${counters.records} records ` +
    `in ${counters.batches} batches\n`;
  const depth = deep
    ? `${sizeText(counters.recordBytes)} of records were read and checked\n`
    : 'indexes and manifests were checked, not the records themselves: --deep does\n';
  const nothing =
    summary.clusterId === undefined
      ? 'no cluster was found here: if there should be one, look whether the URL names the right bucket and prefix\n'
      : '';
  const { error, warning, info } = totals;
  const verdict = error > 0 ? 'NOT IN ORDER' : warning > 0 ? 'in order, with warnings' : 'in order';
  return `${more.join('')}\n${seen}${depth}${nothing}${verdict}: ${error} errors, ${warning} warnings, ${info} infos\n`;
}
