// The bundle that is packed, with an editor of which everything exists and does nothing.

import assert from 'node:assert/strict';
import Module from 'node:module';
import { resolve } from 'node:path';
import { test } from 'node:test';

import * as played from './vscode';

/** Whatever is asked of it, called or constructed. */
const anything: unknown = new Proxy(class {}, {
  get: (target, name) => (name in target ? target[name as keyof typeof target] : name === 'then' ? undefined : anything),
  apply: () => anything,
});

// A bundle copies what a module says that it has.
const vscode = Object.fromEntries(Object.keys(played).map((name) => [name, anything]));
Object.setPrototypeOf(vscode, anything as object);

test('the bundle loads and activates', async () => {
  const loader = Module as unknown as { _load: (name: string, ...rest: unknown[]) => unknown };
  const load = loader._load;
  loader._load = (name, ...rest) => (name === 'vscode' ? vscode : load.call(loader, name, ...rest));
  const { activate } = loader._load(resolve('dist/extension.js'), module, false) as { activate: Function };
  loader._load = load;
  const subscriptions: unknown[] = [];
  await activate({ subscriptions });
  assert.equal(subscriptions.length, 7);
});
