// The task graph beside the text: one panel that shows the program edited last.

import { randomBytes } from 'node:crypto';
import { basename } from 'node:path';
import * as vscode from 'vscode';

import { type Picture, page, themed } from './page';
import type { Server } from './server';
import { Settled } from './settle';

/** How long after the last edit a new picture is asked for, in milliseconds. */
export const PAUSE = 250;

const isProgram = (document: vscode.TextDocument) => document.languageId === 'mtl';

export class TaskGraphView implements vscode.Disposable {
  private panel: vscode.WebviewPanel | undefined;
  private shown: vscode.Uri | undefined;
  private picture: Picture = { svg: null, note: '', stale: false };
  private asked = 0;
  private readonly edits = new Settled(PAUSE, () => void this.refresh());
  private readonly listeners: vscode.Disposable[];

  constructor(private readonly server: Pick<Server, 'taskGraph'>) {
    this.listeners = [
      // What another file says may change the graph too, through `use`.
      vscode.workspace.onDidChangeTextDocument(({ document }) => {
        if (this.panel && isProgram(document)) this.edits.touch();
      }),
      vscode.window.onDidChangeActiveTextEditor((editor) => {
        if (this.panel && editor && isProgram(editor.document)) void this.follow(editor.document.uri);
      }),
      vscode.window.onDidChangeActiveColorTheme(() => this.tell()),
    ];
  }

  /** Shows the graph of the program in the active editor. */
  async show(): Promise<void> {
    const document = vscode.window.activeTextEditor?.document;
    if (!document || !isProgram(document)) {
      void vscode.window.showInformationMessage('open a .mtl file to see its task graph');
      return;
    }
    if (this.panel) this.panel.reveal(undefined, true);
    else this.open();
    await this.follow(document.uri);
  }

  dispose(): void {
    this.edits.dispose();
    this.listeners.forEach((listener) => listener.dispose());
    this.panel?.dispose();
  }

  private open(): void {
    const beside = { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true };
    const panel = vscode.window.createWebviewPanel('mtlc.taskGraph', 'Task graph', beside, { enableScripts: true });
    panel.onDidDispose(() => {
      this.panel = undefined;
      this.shown = undefined;
      this.edits.dispose();
    });
    // The page says that it is ready whenever it has been hidden and comes back.
    panel.webview.onDidReceiveMessage(() => this.tell());
    panel.webview.html = page(randomBytes(16).toString('hex'));
    this.panel = panel;
  }

  private async follow(uri: vscode.Uri): Promise<void> {
    if (!this.panel || this.shown?.toString() === uri.toString()) return;
    this.shown = uri;
    this.picture = { svg: null, note: '', stale: false };
    this.panel.title = `Task graph: ${basename(uri.path)}`;
    await this.refresh();
  }

  /** Asks for the picture, and shows it unless a later question was asked meanwhile. */
  async refresh(): Promise<void> {
    const uri = this.shown;
    if (!uri) return;
    const number = ++this.asked;
    const picture = await this.ask(uri);
    if (number !== this.asked) return;
    this.picture = picture;
    this.tell();
  }

  private async ask(uri: vscode.Uri): Promise<Picture> {
    const before = this.picture.svg;
    try {
      const { svg } = await this.server.taskGraph(uri);
      if (svg !== null) return { svg, note: '', stale: false };
      const note = before === null ? 'the program has mistakes' : 'the program has mistakes; this is how it was before';
      return { svg: before, note, stale: true };
    } catch (error) {
      return { svg: before, note: `no task graph: ${error instanceof Error ? error.message : error}`, stale: true };
    }
  }

  private tell(): void {
    const { kind } = vscode.window.activeColorTheme;
    const dark = kind === vscode.ColorThemeKind.Dark || kind === vscode.ColorThemeKind.HighContrast;
    const svg = this.picture.svg === null ? null : themed(this.picture.svg, dark);
    void this.panel?.webview.postMessage({ ...this.picture, svg });
  }
}
