import assert from 'node:assert/strict';
import { test } from 'node:test';

import { page, themed } from '../src/page';

test('a picture has the colours of the theme', () => {
  const svg = '<style>@media (prefers-color-scheme:dark){a{}}</style>';
  assert.equal(themed(svg, true), '<style>@media all{a{}}</style>');
  assert.equal(themed(svg, false), '<style>@media not all{a{}}</style>');
});

test('the page runs its own script and nothing else', () => {
  const html = page('abc');
  assert.match(html, /default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-abc'"/);
  assert.equal(html.match(/<script/g)?.length, 1);
  assert.doesNotMatch(html, /https?:/);
});
