// The server, `mtlc lsp`: starting it, stopping it, and saying so when it is not there.

import * as vscode from 'vscode';
import { LanguageClient } from 'vscode-languageclient/node';

import { findServer } from './find';

/** What the server answers to `mtlc/taskGraph`. */
export interface TaskGraph {
  /** The picture; `null` while the program's mistakes leave none. */
  svg: string | null;
}

const OPEN_SETTINGS = 'Open Settings';

export class Server implements vscode.Disposable {
  private client: LanguageClient | undefined;
  /** Starts and stops, one after the other. */
  private last: Promise<void> = Promise.resolve();

  constructor(private readonly output: vscode.LogOutputChannel) {}

  start(): Promise<void> {
    return this.next(() => this.startNow());
  }

  restart(): Promise<void> {
    return this.next(async () => {
      await this.stopNow();
      await this.startNow();
    });
  }

  dispose(): void {
    void this.next(() => this.stopNow());
  }

  /** The task graph of a document as it is in the editor. */
  async taskGraph(uri: vscode.Uri): Promise<TaskGraph> {
    await this.last;
    if (!this.client) throw new Error('the server is not running');
    return this.client.sendRequest<TaskGraph>('mtlc/taskGraph', { textDocument: { uri: uri.toString() } });
  }

  private next(step: () => Promise<void>): Promise<void> {
    this.last = this.last.then(step).catch((error) => this.output.error(String(error)));
    return this.last;
  }

  private async startNow(): Promise<void> {
    const setting = vscode.workspace.getConfiguration('mtlc').get('path', 'mtlc');
    const folder = vscode.workspace.workspaceFolders?.[0]?.uri.fsPath;
    const command = findServer(setting, { folder, env: process.env, windows: process.platform === 'win32' });
    if (command === undefined) {
      // Not awaited: the message stays until somebody reads it.
      void this.reportMissing(setting);
      return;
    }
    this.output.info(`starting ${command} lsp`);
    this.client = new LanguageClient('mtlc', 'mtlc', { command, args: ['lsp'] }, this.options());
    await this.client.start();
  }

  private options() {
    return {
      documentSelector: [{ scheme: 'file', language: 'mtl' }, { scheme: 'untitled', language: 'mtl' }],
      outputChannel: this.output,
    };
  }

  private async stopNow(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    await client?.dispose();
  }

  private async reportMissing(setting: string): Promise<void> {
    const message = `mtlc was not found: the setting 'mtlc.path' is '${setting}', and there is no such program`;
    this.output.error(message);
    const chosen = await vscode.window.showErrorMessage(message, OPEN_SETTINGS);
    if (chosen === OPEN_SETTINGS) {
      await vscode.commands.executeCommand('workbench.action.openSettings', 'mtlc.path');
    }
  }
}
