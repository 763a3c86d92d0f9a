// Plays the part of the editor in tests: as much of the module `vscode` as the extension uses, and
// ways to do what a user does.

import { pathToFileURL } from 'node:url';

export class Emitter<T> {
  private readonly listeners = new Set<(event: T) => unknown>();
  readonly event = (listener: (event: T) => unknown) => {
    this.listeners.add(listener);
    return { dispose: () => this.listeners.delete(listener) };
  };
  fire(event: T): void {
    this.listeners.forEach((listener) => listener(event));
  }
}

export class Uri {
  constructor(private readonly text: string) {}
  static file(path: string): Uri {
    return new Uri(pathToFileURL(path).href);
  }
  get path(): string {
    return new URL(this.text).pathname;
  }
  toString(): string {
    return this.text;
  }
}

export enum ColorThemeKind {
  Light = 1,
  Dark = 2,
  HighContrast = 3,
  HighContrastLight = 4,
}
export enum ViewColumn {
  Beside = -2,
}

export class Document {
  version = 1;
  constructor(
    readonly uri: Uri,
    public text: string,
    readonly languageId = 'mtl',
  ) {}
  getText(): string {
    return this.text;
  }
}

export class Panel {
  title = '';
  revealed = 0;
  readonly messages: { svg: string | null; note: string; stale: boolean }[] = [];
  readonly disposed = new Emitter<void>();
  readonly received = new Emitter<unknown>();
  readonly onDidDispose = this.disposed.event;
  readonly webview = {
    html: '',
    onDidReceiveMessage: this.received.event,
    postMessage: async (message: Panel['messages'][number]) => this.messages.push(message),
  };
  reveal(): void {
    this.revealed += 1;
  }
  dispose(): void {
    this.disposed.fire();
  }
}

/** What a test sets and looks at. */
export const editor = {
  settings: {} as Record<string, unknown>,
  documents: [] as Document[],
  panels: [] as Panel[],
  messages: [] as string[],
  log: [] as string[],
  /** The button that is chosen when a message offers it. */
  choice: undefined as string | undefined,
  executed: [] as unknown[][],
  opened: new Emitter<Document>(),
  changed: new Emitter<{ document: Document }>(),
  activated: new Emitter<{ document: Document } | undefined>(),
  themed: new Emitter<void>(),
  configured: new Emitter<{ affectsConfiguration: (name: string) => boolean }>(),

  open(document: Document): Document {
    this.documents.push(document);
    this.opened.fire(document);
    this.activate(document);
    return document;
  },
  activate(document: Document): void {
    window.activeTextEditor = { document };
    this.activated.fire(window.activeTextEditor);
  },
  type(document: Document, text: string): void {
    document.text = text;
    document.version += 1;
    this.changed.fire({ document });
  },
};

const registered = new Map<string, (...args: unknown[]) => unknown>();

async function say(message: string, ...buttons: string[]): Promise<string | undefined> {
  editor.messages.push(message);
  return buttons.find((button) => button === editor.choice);
}

const write = (line: string) => void editor.log.push(line);

export const window = {
  activeTextEditor: undefined as { document: Document } | undefined,
  activeColorTheme: { kind: ColorThemeKind.Light },
  onDidChangeActiveTextEditor: editor.activated.event,
  onDidChangeActiveColorTheme: editor.themed.event,
  showInformationMessage: say,
  showErrorMessage: say,
  createOutputChannel: () => ({ info: write, error: write, show: () => write('shown'), dispose: () => {} }),
  createWebviewPanel: (_kind: string, title: string) => {
    const panel = new Panel();
    panel.title = title;
    editor.panels.push(panel);
    return panel;
  },
};

export const workspace = {
  workspaceFolders: undefined,
  onDidChangeTextDocument: editor.changed.event,
  onDidChangeConfiguration: editor.configured.event,
  getConfiguration: (section: string) => ({
    get: (name: string, otherwise: unknown) => editor.settings[`${section}.${name}`] ?? otherwise,
  }),
};

export const commands = {
  names: () => [...registered.keys()].sort(),
  registerCommand: (name: string, run: (...args: unknown[]) => unknown) => {
    registered.set(name, run);
    return { dispose: () => registered.delete(name) };
  },
  executeCommand: async (name: string, ...args: unknown[]) => {
    editor.executed.push([name, ...args]);
    return registered.get(name)?.(...args);
  },
};
