// The extension as the editor runs it, with the real server where `MTLC` names a binary.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { after, test } from 'node:test';
import type * as vscode from 'vscode';

import { activate } from '../src/extension';
import { diagnostics, running } from './client';
import { commands, Document, editor, Uri } from './vscode';

const subscriptions: { dispose(): unknown }[] = [];
const context = { subscriptions } as unknown as vscode.ExtensionContext;
after(() => subscriptions.forEach((s) => s.dispose()));

const path = resolve('../../examples/tagging.mtl');
const program = readFileSync(path, 'utf8');

/** Waits for what another process does. */
async function eventually<T>(look: () => T | undefined | false): Promise<T> {
  for (let tries = 0; tries < 400; tries++) {
    const found = look();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`this did not come: ${look}`);
}

async function configure(path: string): Promise<void> {
  editor.settings['mtlc.path'] = path;
  editor.configured.fire({ affectsConfiguration: (name) => name === 'mtlc.path' });
}

test('a missing server is reported with a way to mend it', async () => {
  editor.settings['mtlc.path'] = '/nowhere/mtlc';
  editor.choice = 'Open Settings';
  await activate(context);
  const message = "mtlc was not found: the setting 'mtlc.path' is '/nowhere/mtlc', and there is no such program";
  assert.deepEqual(editor.messages, [message]);
  await eventually(() => editor.executed.length > 0);
  assert.deepEqual(editor.executed, [['workbench.action.openSettings', 'mtlc.path']]);
  assert.equal(running.size, 0);
});

test('every command that is declared is there', async () => {
  const declared = JSON.parse(readFileSync('package.json', 'utf8')).contributes.commands as { command: string }[];
  assert.deepEqual(declared.map((c) => c.command).sort(), commands.names());
});

const mtlc = process.env.MTLC;
const skip = !mtlc && !process.env.CI && 'MTLC names no binary';

test('the task graph follows edits', { skip }, async () => {
  await configure(mtlc!);
  await eventually(() => running.size === 1);
  const document = editor.open(new Document(Uri.file(path), program));
  await commands.executeCommand('mtlc.showTaskGraph');
  const messages = editor.panels[0].messages;
  const svg = await eventually(() => messages.find((m) => m.svg)?.svg);
  assert.match(svg!, /<svg[^]*chunk/);
  assert.doesNotMatch(svg!, /bigru/);

  editor.type(document, program.replace('high = bilstm', 'high = bigru'));
  await eventually(() => messages.at(-1)?.svg?.includes('bigru'));
  editor.type(document, program.replace('high = bilstm', 'high = bigruu'));
  await eventually(() => messages.at(-1)?.stale);
  assert.match(messages.at(-1)!.svg!, /bigru/);
  const given = await eventually(() => diagnostics.get(document.uri.toString())?.find((d) => d.code === 'E0201'));
  assert.match(String(given.message), /bigruu/);
});

test('the server is restarted', { skip }, async () => {
  const [before] = running;
  await commands.executeCommand('mtlc.restartServer');
  const [now] = running;
  assert.equal(running.size, 1);
  assert.notEqual(now, before);
});
