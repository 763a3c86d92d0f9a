// The server, asked by the protocol's own library as any editor's client would.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import {
  CodeActionRequest,
  CodeLensRequest,
  CompletionRequest,
  createProtocolConnection,
  type Diagnostic,
  DidChangeTextDocumentNotification,
  DidOpenTextDocumentNotification,
  DocumentFormattingRequest,
  ExitNotification,
  FoldingRangeRequest,
  HoverRequest,
  type InitializeResult,
  InitializeRequest,
  InitializedNotification,
  InlayHintRequest,
  type Position,
  type ProtocolConnection,
  PublishDiagnosticsNotification,
  RenameRequest,
  SemanticTokensRequest,
  ShutdownRequest,
  SignatureHelpRequest,
  StreamMessageReader,
  StreamMessageWriter,
  type TextEdit,
} from 'vscode-languageserver-protocol/node';

const mtlc = process.env.MTLC;
const skip = !mtlc && !process.env.CI && 'MTLC names no binary';

const path = resolve('../../examples/slu.mtl');
const uri = pathToFileURL(path).toString();
const textDocument = { uri };
let text = readFileSync(path, 'utf8');
let version = 1;

let server: ChildProcess;
let connection: ProtocolConnection;
let told: InitializeResult;
let published: Diagnostic[] | undefined;
let waiting: (() => void)[] = [];

/** Where the end of the first place of a text stands. */
function at(part: string): Position {
  const before = text.slice(0, text.indexOf(part) + part.length).split('\n');
  return { line: before.length - 1, character: before[before.length - 1].length };
}

/** The diagnostics that come next. */
async function next(act: () => Promise<void>): Promise<Diagnostic[]> {
  const come = new Promise<void>((done) => waiting.push(done));
  await act();
  await come;
  return published!;
}

/** Types over the first place of a text. */
async function type(old: string, now: string): Promise<void> {
  const end = at(old);
  const start = { line: end.line, character: end.character - old.length };
  text = text.replace(old, () => now);
  version += 1;
  await connection.sendNotification(DidChangeTextDocumentNotification.type, {
    textDocument: { uri, version },
    contentChanges: [{ range: { start, end }, text: now }],
  });
}

/** A text with edits of the server. */
function edited(edits: TextEdit[]): string {
  const lines = text.split('\n');
  const offset = (p: Position) => lines.slice(0, p.line).reduce((n, l) => n + l.length + 1, 0) + p.character;
  const later = [...edits].sort((a, b) => offset(b.range.start) - offset(a.range.start));
  return later.reduce((t, e) => t.slice(0, offset(e.range.start)) + e.newText + t.slice(offset(e.range.end)), text);
}

before(async () => {
  if (skip) return;
  server = spawn(mtlc!, ['lsp'], { stdio: ['pipe', 'pipe', 'inherit'] });
  connection = createProtocolConnection(new StreamMessageReader(server.stdout!), new StreamMessageWriter(server.stdin!));
  connection.onNotification(PublishDiagnosticsNotification.type, (params) => {
    assert.equal(params.uri, uri);
    published = params.diagnostics;
    waiting.splice(0).forEach((done) => done());
  });
  connection.listen();
  const capabilities = { textDocument: { completion: { completionItem: { snippetSupport: true } } } };
  told = await connection.sendRequest(InitializeRequest.type, { processId: process.pid, rootUri: null, capabilities });
  await connection.sendNotification(InitializedNotification.type, {});
  const opened = { textDocument: { uri, languageId: 'mtl', version, text } };
  const open = () => connection.sendNotification(DidOpenTextDocumentNotification.type, opened);
  assert.deepEqual(await next(open), []);
});

after(async () => {
  if (skip) return;
  await connection.sendRequest(ShutdownRequest.type);
  const ended = new Promise<number | null>((done) => server.once('exit', done));
  await connection.sendNotification(ExitNotification.type);
  assert.equal(await ended, 0);
  connection.dispose();
});

test('a mistake is published at its place, and goes when it is mended', { skip }, async () => {
  const [wrong] = await next(() => type('self_attention(64)', 'self_atention(64)'));
  assert.equal(wrong.code, 'E0201');
  assert.deepEqual(wrong.range.end, at('self_atention'));
  assert.match(String(wrong.message), /nothing is named 'self_atention'/);
  const context = { diagnostics: [wrong] };
  const actions = await connection.sendRequest(CodeActionRequest.type, { textDocument, range: wrong.range, context });
  const [fix] = actions!;
  assert.ok('edit' in fix && fix.isPreferred && fix.edit);
  const edits = Object.values(fix.edit.changes ?? {}).flat();
  const documents = (fix.edit.documentChanges ?? []).flatMap((d) => ('edits' in d ? (d.edits as TextEdit[]) : []));
  assert.ok(edited([...edits, ...documents]).includes('x |> self_attention(64)'));
  assert.deepEqual(await next(() => type('self_atention(64)', 'self_attention(64)')), []);
});

test('a cycle has its other edge beside it', { skip }, async () => {
  const [cycle] = await next(() => type('= h |> lstm(64) { vote', '= concat(h, slots.label) |> lstm(64) { vote'));
  assert.equal(cycle.code, 'E0601');
  assert.equal(cycle.relatedInformation?.length, 1);
  assert.deepEqual(await next(() => type('= concat(h, slots.label) |> lstm(64) { vote', '= h |> lstm(64) { vote')), []);
});

test('what the server says it can do it does', { skip }, async () => {
  const can = told.capabilities;
  assert.ok(can.hoverProvider && can.renameProvider && can.completionProvider && can.documentFormattingProvider);
  const hover = await connection.sendRequest(HoverRequest.type, { textDocument, position: at('home.utterance |> words') });
  assert.match(JSON.stringify(hover), /layer words/);
  const help = await connection.sendRequest(SignatureHelpRequest.type, { textDocument, position: at('= embed(') });
  assert.match(help!.signatures[0].label, /^embed\(/);
  const list = await connection.sendRequest(CompletionRequest.type, { textDocument, position: at('{ head: ') });
  const items = Array.isArray(list) ? list : list!.items;
  assert.ok(items.some((i) => i.label === 'crf') && !items.some((i) => i.label === 'accuracy'));
  const range = { start: { line: 0, character: 0 }, end: at('slots.span_f1)') };
  const hints = await connection.sendRequest(InlayHintRequest.type, { textDocument, range });
  assert.ok(hints!.some((h) => JSON.stringify(h.label).includes('home[utterance, 192]')), JSON.stringify(hints));
  const tokens = await connection.sendRequest(SemanticTokensRequest.type, { textDocument });
  assert.equal(tokens!.data.length % 5, 0);
  assert.ok(tokens!.data.length > 200);
  const folds = await connection.sendRequest(FoldingRangeRequest.type, { textDocument });
  assert.ok(folds!.length >= 3);
  const lenses = await connection.sendRequest(CodeLensRequest.type, { textDocument });
  assert.ok(lenses!.some((l) => l.command?.title.includes('parameters')));
});

test('a rename changes every place and nothing else', { skip }, async () => {
  const params = { textDocument, position: at('layer words'), newName: 'lexical' };
  const edit = await connection.sendRequest(RenameRequest.type, params);
  const plain = Object.values(edit!.changes ?? {}).flat();
  const documents = (edit!.documentChanges ?? []).flatMap((d) => ('edits' in d ? (d.edits as TextEdit[]) : []));
  const renamed = edited([...plain, ...documents]);
  assert.equal(renamed, text.replace('layer words', 'layer lexical').replace('|> words |>', '|> lexical |>'));
});

test('a program that is laid out stays as it is', { skip }, async () => {
  const options = { tabSize: 2, insertSpaces: true };
  assert.deepEqual((await connection.sendRequest(DocumentFormattingRequest.type, { textDocument, options })) ?? [], []);
});
