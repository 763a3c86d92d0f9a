// Bundles the extension into `dist/`, and with `--tests` its tests into `out/`, where the module
// that only an editor has is played by `test/vscode.ts`, and its client by `test/client.ts`.
import { readdirSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

const common = { bundle: true, platform: 'node', format: 'cjs', target: 'node20', logLevel: 'warning' };

if (process.argv.includes('--tests')) {
  rmSync('out', { recursive: true, force: true });
  const tests = readdirSync('test').filter((name) => name.endsWith('.test.ts'));
  await build({
    ...common,
    entryPoints: tests.map((name) => `test/${name}`),
    outdir: 'out',
    sourcemap: 'inline',
    alias: { vscode: './test/vscode.ts', 'vscode-languageclient/node': './test/client.ts' },
  });
} else {
  const minify = process.argv.includes('--minify');
  await build({
    ...common,
    entryPoints: ['src/extension.ts'],
    outfile: 'dist/extension.js',
    external: ['vscode'],
    minify,
    sourcemap: !minify,
  });
}
