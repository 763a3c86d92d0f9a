// A session with the real server in two files, one of which uses the other.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import {
  type CodeAction,
  CodeActionRequest,
  CompletionRequest,
  createProtocolConnection,
  type Diagnostic,
  DidChangeTextDocumentNotification,
  DidOpenTextDocumentNotification,
  ExitNotification,
  HoverRequest,
  InitializedNotification,
  InitializeRequest,
  type Position,
  type ProtocolConnection,
  PublishDiagnosticsNotification,
  RenameRequest,
  ShutdownRequest,
  StreamMessageReader,
  StreamMessageWriter,
  TextDocumentEdit,
  type TextEdit,
  type WorkspaceEdit,
} from 'vscode-languageserver-protocol/node';

const mtlc = process.env.MTLC;
const skip = !mtlc && !process.env.CI && 'MTLC names no binary';

let server: ChildProcess;
let connection: ProtocolConnection;
let folder: string;
/** The texts as the editor has them. */
const texts = new Map<string, { text: string; version: number }>();
const diagnostics = new Map<string, Diagnostic[]>();

const uri = (name: string) => pathToFileURL(join(folder, name)).toString();
const text = (name: string) => texts.get(uri(name))!.text;

before(async () => {
  if (skip) return;
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'mtlc-')));
  server = spawn(mtlc!, ['lsp'], { stdio: ['pipe', 'pipe', 'inherit'] });
  connection = createProtocolConnection(new StreamMessageReader(server.stdout!), new StreamMessageWriter(server.stdin!));
  connection.onNotification(PublishDiagnosticsNotification.type, (p) => void diagnostics.set(p.uri, p.diagnostics));
  connection.listen();
  const capabilities = { workspace: { workspaceEdit: { documentChanges: true } } };
  const rootUri = pathToFileURL(folder).toString();
  await connection.sendRequest(InitializeRequest.type, { processId: process.pid, rootUri, capabilities });
  await connection.sendNotification(InitializedNotification.type, {});
  for (const name of ['layers.mtl', 'program.mtl']) await open(name);
});

after(async () => {
  if (skip) return;
  const ended = new Promise((done) => server.once('exit', done));
  await connection.sendRequest(ShutdownRequest.type);
  await connection.sendNotification(ExitNotification.type);
  assert.equal(await ended, 0);
  connection.dispose();
  rmSync(folder, { recursive: true });
});

async function open(name: string): Promise<void> {
  const text = readFileSync(resolve('../../tests/editors/session', name), 'utf8');
  writeFileSync(join(folder, name), text);
  texts.set(uri(name), { text, version: 1 });
  const textDocument = { uri: uri(name), languageId: 'mtl', version: 1, text };
  await connection.sendNotification(DidOpenTextDocumentNotification.type, { textDocument });
}

/** The place where something stands in a text. */
function place(name: string, what: string): Position {
  const lines = text(name).slice(0, text(name).indexOf(what)).split('\n');
  return { line: lines.length - 1, character: lines.at(-1)!.length };
}

/** Applies edits to a text, the last first, and tells the server of each. */
async function edit(uri: string, edits: TextEdit[]): Promise<void> {
  const document = texts.get(uri)!;
  const offset = (at: Position) => {
    const lines = document.text.split('\n').slice(0, at.line);
    return lines.reduce((sum, line) => sum + line.length + 1, 0) + at.character;
  };
  const later = (a: TextEdit, b: TextEdit) => offset(b.range.start) - offset(a.range.start);
  for (const { range, newText } of [...edits].sort(later)) {
    document.text = document.text.slice(0, offset(range.start)) + newText + document.text.slice(offset(range.end));
    document.version += 1;
    await connection.sendNotification(DidChangeTextDocumentNotification.type, {
      textDocument: { uri, version: document.version },
      contentChanges: [{ range, text: newText }],
    });
  }
}

async function apply(change: WorkspaceEdit): Promise<void> {
  for (const part of change.documentChanges!) {
    assert(TextDocumentEdit.is(part));
    assert.equal(part.textDocument.version, texts.get(part.textDocument.uri)!.version);
    await edit(part.textDocument.uri, part.edits as TextEdit[]);
  }
}

async function replace(name: string, old: string, newText: string): Promise<void> {
  const start = place(name, old);
  const end = { line: start.line, character: start.character + old.length };
  await edit(uri(name), [{ range: { start, end }, newText }]);
}

/** Waits for so many diagnostics of a file. */
async function wait(name: string, count: number): Promise<Diagnostic[]> {
  for (let tries = 0; tries < 400; tries++) {
    const known = diagnostics.get(uri(name));
    if (known?.length === count) return known;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`there are not ${count}: ${JSON.stringify(diagnostics.get(uri(name)))}`);
}

test('a mistake is shown where it is, and its fix taken', { skip }, async () => {
  await wait('program.mtl', 0);
  await replace('program.mtl', 'reader', 'raeder');
  const [given] = await wait('program.mtl', 1);
  assert.equal(given.code, 'E0201');
  assert.deepEqual(given.range.start, place('program.mtl', 'raeder'));
  const actions = await connection.sendRequest(CodeActionRequest.type, {
    textDocument: { uri: uri('program.mtl') },
    range: given.range,
    context: { diagnostics: [given] },
  });
  assert.equal(actions!.length, 1);
  await apply((actions![0] as CodeAction).edit!);
  assert.match(text('program.mtl'), /home\.words \|> reader\n/);
  await wait('program.mtl', 0);
});

test('a hover tells the type', { skip }, async () => {
  const textDocument = { uri: uri('program.mtl') };
  const position = place('program.mtl', 'h |>');
  const hover = await connection.sendRequest(HoverRequest.type, { textDocument, position });
  assert.match(JSON.stringify(hover!.contents), /home\[words, 64\]/);
});

test('a name is changed in both files', { skip }, async () => {
  const textDocument = { uri: uri('program.mtl') };
  const position = place('program.mtl', 'reader');
  const change = await connection.sendRequest(RenameRequest.type, { textDocument, position, newName: 'encoder' });
  await apply(change!);
  assert.match(text('layers.mtl'), /layer encoder = /);
  assert.match(text('program.mtl'), /home\.words \|> encoder\n/);
  await wait('program.mtl', 0);
});

test('a layer is completed behind a pipe', { skip }, async () => {
  await replace('program.mtl', 'mean_pool', 'enc');
  const at = place('program.mtl', 'enc\n');
  const position = { line: at.line, character: at.character + 3 };
  const textDocument = { uri: uri('program.mtl') };
  const list = await connection.sendRequest(CompletionRequest.type, { textDocument, position });
  assert(list && 'items' in list);
  const item = list.items.find((i) => i.label === 'encoder');
  assert.equal((item!.textEdit as TextEdit).newText, 'encoder');
  assert.deepEqual((item!.textEdit as { range: unknown }).range, { start: at, end: position });
  assert(!list.items.some((i) => i.label === 'home'), 'a data set takes no value');
});
