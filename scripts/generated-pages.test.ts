import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generatedPages, staleProblem } from './generated-pages.ts';

for (const page of await generatedPages()) {
  test(`${page.name} says what the code says`, () => {
    assert.equal(staleProblem(page), undefined);
  });

  test(`a change behind ${page.name} is noticed`, () => {
    assert.match(staleProblem({ ...page, text: `${page.text}x` }) ?? '', /out of date: run "make docs"/);
    assert.match(staleProblem({ ...page, file: `${page.file}.none` }) ?? '', /out of date/);
  });
}
