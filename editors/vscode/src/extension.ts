// What the extension adds to the editor, beside what `package.json` declares.

import * as vscode from 'vscode';

import { TaskGraphView } from './graph';
import { Server } from './server';

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const output = vscode.window.createOutputChannel('mtlc', { log: true });
  const server = new Server(output);
  const graph = new TaskGraphView(server);
  context.subscriptions.push(
    output,
    server,
    graph,
    vscode.commands.registerCommand('mtlc.showTaskGraph', () => graph.show()),
    vscode.commands.registerCommand('mtlc.restartServer', () => server.restart()),
    vscode.commands.registerCommand('mtlc.showOutput', () => output.show()),
    vscode.workspace.onDidChangeConfiguration((change) => {
      if (change.affectsConfiguration('mtlc.path')) void server.restart();
    }),
  );
  await server.start();
}
