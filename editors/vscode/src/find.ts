// Which file the setting `mtlc.path` means.

import { accessSync, constants, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, isAbsolute, join, normalize, resolve } from 'node:path';

/** What a path may be relative to, and where names are looked for. */
export interface Surroundings {
  /** The first folder of the workspace. */
  folder?: string;
  env: Record<string, string | undefined>;
  windows: boolean;
}

/** The program that a setting names; `undefined` when there is none. */
export function findServer(setting: string, around: Surroundings): string | undefined {
  const wanted = fillIn(setting.trim() || 'mtlc', around);
  return candidates(wanted, around).find(isProgram);
}

function fillIn(path: string, around: Surroundings): string {
  const folder = around.folder ?? '.';
  return path.replace(/^~(?=[/\\]|$)/, () => homedir()).replaceAll('${workspaceFolder}', () => folder);
}

function candidates(path: string, around: Surroundings): string[] {
  const endings = around.windows && !path.toLowerCase().endsWith('.exe') ? ['.exe', ''] : [''];
  return places(path, around).flatMap((place) => endings.map((ending) => place + ending));
}

/** A bare name is looked for on the `PATH`, anything else from the workspace's folder. */
function places(path: string, around: Surroundings): string[] {
  if (isAbsolute(path)) return [normalize(path)];
  if (/[/\\]/.test(path)) return [resolve(around.folder ?? '.', path)];
  const search = around.env.PATH ?? around.env.Path ?? '';
  return search.split(delimiter).filter((folder) => folder !== '').map((folder) => join(folder, path));
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
