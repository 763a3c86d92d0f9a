// Plays the part of `vscode-languageclient` in tests: starts the server as that does, and tells it
// of the documents of the editor that `test/vscode.ts` plays.

import { type ChildProcess, spawn } from 'node:child_process';
import {
  createProtocolConnection,
  type Diagnostic,
  type ProtocolConnection,
  StreamMessageReader,
  StreamMessageWriter,
} from 'vscode-languageserver-protocol/node';

import { type Document, editor } from './vscode';

/** The last diagnostics of each document. */
export const diagnostics = new Map<string, Diagnostic[]>();
/** The servers that run. */
export const running = new Set<LanguageClient>();

export class LanguageClient {
  private process: ChildProcess | undefined;
  private connection: ProtocolConnection | undefined;
  private listeners: { dispose: () => unknown }[] = [];

  constructor(
    readonly id: string,
    readonly name: string,
    readonly server: { command: string; args: string[] },
  ) {}

  async start(): Promise<void> {
    this.process = spawn(this.server.command, this.server.args, { stdio: ['pipe', 'pipe', 'inherit'] });
    const reader = new StreamMessageReader(this.process.stdout!);
    this.connection = createProtocolConnection(reader, new StreamMessageWriter(this.process.stdin!));
    this.connection.onNotification('textDocument/publishDiagnostics', (params) => {
      diagnostics.set(params.uri, params.diagnostics);
    });
    this.connection.onRequest('client/registerCapability', () => null);
    this.connection.listen();
    await this.sendRequest('initialize', { processId: process.pid, rootUri: null, capabilities: {} });
    await this.connection.sendNotification('initialized', {});
    this.listeners = [editor.opened.event((d) => this.opened(d)), editor.changed.event((e) => this.changed(e.document))];
    editor.documents.forEach((document) => this.opened(document));
    running.add(this);
  }

  sendRequest<T>(method: string, params?: object): Promise<T> {
    return this.connection!.sendRequest<T>(method, params);
  }

  async dispose(): Promise<void> {
    running.delete(this);
    this.listeners.forEach((listener) => listener.dispose());
    await this.connection!.sendRequest('shutdown');
    const ended = new Promise((resolve) => this.process!.once('exit', resolve));
    await this.connection!.sendNotification('exit');
    await ended;
    this.connection!.dispose();
  }

  private opened(document: Document): void {
    const { languageId, version, text } = document;
    const textDocument = { uri: document.uri.toString(), languageId, version, text };
    void this.connection!.sendNotification('textDocument/didOpen', { textDocument });
  }

  private changed(document: Document): void {
    void this.connection!.sendNotification('textDocument/didChange', {
      textDocument: { uri: document.uri.toString(), version: document.version },
      contentChanges: [{ text: document.text }],
    });
  }
}
