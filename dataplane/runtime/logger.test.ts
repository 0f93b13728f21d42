import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogger } from './logger.ts';
import type { Logger, LogLevel } from './logger.ts';
import { Metrics } from './metrics.ts';

function capture(level: LogLevel = 'debug', metrics?: Metrics): { logger: Logger; lines: string[] } {
  const lines: string[] = [];
  const runtime = { wallMs: () => Date.UTC(2026, 0, 2, 3, 4, 5, 678) };
  return { logger: createLogger({ runtime, level, write: (line) => lines.push(line), metrics }), lines };
}

test('a line is one JSON object with time, level, message and fields', () => {
  const { logger, lines } = capture();
  logger.info('segment written', { key: 'a/b', offset: 12n, sizeBytes: 4096 });
  assert.deepEqual(lines, [
    '{"time":"2026-01-02T03:04:05.678Z","level":"info","message":"segment written","key":"a/b","offset":"12","sizeBytes":4096}\n',
  ]);
});

test('lines below the level are not written, and say so beforehand', () => {
  const { logger, lines } = capture('warn');
  logger.debug('a');
  logger.info('b');
  logger.warn('c');
  logger.error('d');
  assert.deepEqual(
    lines.map((line) => (JSON.parse(line) as { message: string }).message),
    ['c', 'd'],
  );
  assert.equal(logger.isEnabled('info'), false);
  assert.equal(logger.isEnabled('warn'), true);
});

test('a child adds its fields, and the fields of a line win', () => {
  const { logger, lines } = capture();
  logger.child({ broker: 1, partition: 2 }).child({ topic: 't' }).warn('lag', { partition: 3 });
  assert.deepEqual(JSON.parse(lines[0] ?? ''), {
    time: '2026-01-02T03:04:05.678Z',
    level: 'warn',
    message: 'lag',
    broker: 1,
    partition: 3,
    topic: 't',
  });
});

test('fields cannot pose as time, level or message', () => {
  const { logger, lines } = capture();
  logger.info('real', { level: 'error', message: 'forged', time: 'never' });
  assert.match(lines[0] ?? '', /"level":"info","message":"real"/);
});

test('an error is logged with its code and its causes', () => {
  const { logger, lines } = capture();
  const error = Object.assign(new Error('put failed', { cause: new TypeError('reset') }), {
    code: 'TIMEOUT',
  });
  logger.error('flush failed', { error });
  const { error: logged } = JSON.parse(lines[0] ?? '') as { error: Record<string, unknown> };
  assert.equal(logged['message'], 'put failed');
  assert.equal(logged['code'], 'TIMEOUT');
  assert.equal((logged['cause'] as Record<string, unknown>)['name'], 'TypeError');
});

test('fields that are no JSON do not make the call throw, and the line still says what it can', () => {
  const { logger, lines } = capture();
  const cycle: Record<string, unknown> = {};
  cycle['self'] = cycle;
  logger.info('odd', { cycle });
  logger.info('bytes', { body: new Uint8Array(7) });
  assert.match(lines[0] ?? '', /"message":"odd","unloggableFields":\["cycle"\]/);
  assert.match(lines[1] ?? '', /"body":"7 bytes"/);
});

test('a message with line breaks stays one line', () => {
  const { logger, lines } = capture();
  logger.info('a\nb', { text: 'c\r\nd' });
  assert.equal(lines[0]?.split('\n').length, 2);
});

test('written lines are counted by level', async () => {
  const metrics = new Metrics();
  const { logger } = capture('warn', metrics);
  logger.info('not written');
  logger.child({ a: 1 }).error('written');
  const text = await metrics.expose();
  assert.match(text, /^firn_log_lines_total\{level="error"\} 1$/m);
  assert.doesNotMatch(text, /level="info"/);
});
