// Every example's colours are those of its snapshot; `--update` writes them anew. The tool wants
// the texts beside the snapshots, so they are copied there.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, readdirSync } from 'node:fs';

const update = process.argv.includes('--update');
const examples = '../../examples';
const programs = readdirSync(examples).filter((name) => name.endsWith('.mtl'));
for (const name of programs) copyFileSync(`${examples}/${name}`, `test/snapshots/${name}`);

// The tool takes what has no snapshot for right.
const without = programs.filter((name) => !existsSync(`test/snapshots/${name}.snap`));
if (without.length > 0 && !update) {
  console.error(`no snapshot of ${without.join(', ')}: node test/snapshots.mjs --update`);
  process.exit(1);
}
const args = [...(update ? ['--updateSnapshot'] : []), 'test/snapshots/*.mtl'];
process.exit(spawnSync('vscode-tmgrammar-snap', args, { stdio: 'inherit' }).status ?? 1);
