import assert from 'node:assert/strict';
import { beforeEach, mock, test } from 'node:test';
import type * as vscode from 'vscode';

import { PAUSE, TaskGraphView } from '../src/graph';
import { ColorThemeKind, Document, editor, Uri, window } from './vscode';

/** A server that answers when the test says so. */
class Asked {
  readonly waiting: { uri: string; answer: (svg: string | null) => Promise<void>; fail: (why: string) => Promise<void> }[] = [];
  taskGraph(uri: vscode.Uri): Promise<{ svg: string | null }> {
    return new Promise((resolve, reject) => {
      this.waiting.push({
        uri: uri.toString(),
        answer: async (svg) => (resolve({ svg }), settle()),
        fail: async (why) => (reject(new Error(why)), settle()),
      });
    });
  }
}

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

let server: Asked;
let view: TaskGraphView;
let document: Document;
const last = () => editor.panels.at(-1)!.messages.at(-1);

beforeEach(async () => {
  mock.timers.reset();
  mock.timers.enable({ apis: ['setTimeout'] });
  editor.panels.length = 0;
  view?.dispose();
  server = new Asked();
  view = new TaskGraphView(server);
  document = editor.open(new Document(Uri.file('/p/slu.mtl'), 'one'));
  void view.show();
  await settle();
});

test('the graph of the active program is shown', async () => {
  assert.equal(editor.panels.length, 1);
  assert.equal(editor.panels[0].title, 'Task graph: slu.mtl');
  assert.equal(server.waiting[0].uri, 'file:///p/slu.mtl');
  await server.waiting[0].answer('<svg/>');
  assert.deepEqual(last(), { svg: '<svg/>', note: '', stale: false });
});

test('it is asked for again once an edit has settled', async () => {
  await server.waiting[0].answer('<svg/>');
  editor.type(document, 'two');
  mock.timers.tick(PAUSE - 1);
  editor.type(document, 'three');
  mock.timers.tick(PAUSE - 1);
  assert.equal(server.waiting.length, 1);
  mock.timers.tick(1);
  assert.equal(server.waiting.length, 2);
  await server.waiting[1].answer('<svg>3</svg>');
  assert.equal(last()?.svg, '<svg>3</svg>');
});

test('an answer that comes too late is not shown', async () => {
  editor.type(document, 'two');
  mock.timers.tick(PAUSE);
  await server.waiting[1].answer('<svg>new</svg>');
  await server.waiting[0].answer('<svg>old</svg>');
  assert.equal(last()?.svg, '<svg>new</svg>');
});

test('while a program is broken the last picture stays', async () => {
  await server.waiting[0].answer('<svg/>');
  editor.type(document, 'broken');
  mock.timers.tick(PAUSE);
  await server.waiting[1].answer(null);
  assert.deepEqual(last(), { svg: '<svg/>', note: 'the program has mistakes; this is how it was before', stale: true });
});

test('a server that cannot answer says why', async () => {
  await server.waiting[0].fail('gone');
  assert.deepEqual(last(), { svg: null, note: 'no task graph: gone', stale: true });
});

test('it follows the active program, and no other file', async () => {
  await server.waiting[0].answer('<svg/>');
  editor.open(new Document(Uri.file('/p/notes.md'), '', 'markdown'));
  assert.equal(server.waiting.length, 1);
  editor.open(new Document(Uri.file('/p/tagging.mtl'), ''));
  assert.equal(server.waiting[1].uri, 'file:///p/tagging.mtl');
  assert.equal(editor.panels[0].title, 'Task graph: tagging.mtl');
  await server.waiting[1].answer(null);
  assert.deepEqual(last(), { svg: null, note: 'the program has mistakes', stale: true });
});

test('it has the colours of the theme, and comes back when it was hidden', async () => {
  await server.waiting[0].answer('@media (prefers-color-scheme:dark)');
  assert.equal(last()?.svg, '@media not all');
  window.activeColorTheme.kind = ColorThemeKind.Dark;
  editor.themed.fire();
  assert.equal(last()?.svg, '@media all');
  window.activeColorTheme.kind = ColorThemeKind.Light;
  const told = editor.panels[0].messages.length;
  editor.panels[0].received.fire('ready');
  assert.equal(editor.panels[0].messages.length, told + 1);
});

test('a closed panel asks for nothing, and opens again', async () => {
  await server.waiting[0].answer('<svg/>');
  editor.type(document, 'two');
  editor.panels[0].dispose();
  mock.timers.tick(PAUSE);
  editor.type(document, 'three');
  mock.timers.tick(PAUSE);
  assert.equal(server.waiting.length, 1);
  void view.show();
  await settle();
  assert.equal(editor.panels.length, 2);
  void view.show();
  assert.deepEqual([editor.panels.length, editor.panels[1].revealed], [2, 1]);
});

test('without a program there is a message', async () => {
  editor.open(new Document(Uri.file('/p/notes.md'), '', 'markdown'));
  await view.show();
  assert.equal(editor.messages.at(-1), 'open a .mtl file to see its task graph');
});
