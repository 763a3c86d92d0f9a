import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join, relative } from 'node:path';
import { after, test } from 'node:test';

import { findServer } from '../src/find';

const folder = mkdtempSync(join(tmpdir(), 'mtlc-'));
const program = join(folder, 'bin', 'mtlc');
mkdirSync(join(folder, 'bin'));
writeFileSync(program, '');
chmodSync(program, 0o755);
writeFileSync(join(folder, 'bin', 'plain'), '');
writeFileSync(join(folder, 'bin', 'other.exe'), '');
chmodSync(join(folder, 'bin', 'other.exe'), 0o755);
after(() => rmSync(folder, { recursive: true }));

const around = { folder, env: { PATH: ['/nowhere', join(folder, 'bin')].join(delimiter) }, windows: false };

test('a name is looked for on the PATH', () => {
  assert.equal(findServer('mtlc', around), program);
  assert.equal(findServer('', around), program);
  assert.equal(findServer('mtlcc', around), undefined);
  assert.equal(findServer('mtlc', { ...around, env: {} }), undefined);
});

test('a path is taken as it is, or from the workspace', () => {
  assert.equal(findServer(program, around), program);
  assert.equal(findServer('./bin/mtlc', around), program);
  assert.equal(findServer('${workspaceFolder}/bin/mtlc', around), program);
  assert.equal(findServer(`~/${relative(homedir(), program)}`, around), program);
});

test('folders and files that cannot be run are no programs', () => {
  assert.equal(findServer(join(folder, 'bin'), around), undefined);
  assert.equal(findServer('plain', around), undefined);
});

test('Windows programs have an ending', () => {
  assert.equal(findServer('other', { ...around, windows: true }), join(folder, 'bin', 'other.exe'));
});
