// The page that shows a task graph, and what it is told.

/** What the page is told whenever it changes. */
export interface Picture {
  /** The graph; `null` when there has been none yet. */
  svg: string | null;
  /** What is to be said about it. */
  note: string;
  /** Whether it is of the program as it was before its mistakes. */
  stale: boolean;
}

/** The picture with the colours of the editor's theme, which need not be those of the system. */
export function themed(svg: string, dark: boolean): string {
  return svg.replace(/\(\s*prefers-color-scheme:\s*dark\s*\)/g, dark ? 'all' : 'not all');
}

const STYLE = `
  body { padding: 0; margin: 0; }
  #note { padding: 6px 12px; color: var(--vscode-descriptionForeground); }
  #note:empty { display: none; }
  #picture { padding: 12px; overflow: auto; }
  #picture.stale { opacity: 0.5; }
  #picture svg { max-width: 100%; height: auto; display: block; margin: auto; }
  #picture.zoomed svg { max-width: none; }
  #picture svg.mtlc-graph { --ground: var(--vscode-editor-background); }
`;

// Ctrl and the wheel zoom, a double click fits the picture into the page again.
const SCRIPT = `
  const picture = document.getElementById('picture');
  const note = document.getElementById('note');
  let zoom = 0;
  const scale = () => {
    const svg = picture.querySelector('svg');
    picture.classList.toggle('zoomed', zoom > 0);
    if (svg) svg.style.width = zoom > 0 ? zoom * svg.viewBox.baseVal.width + 'px' : '';
  };
  window.addEventListener('message', ({ data }) => {
    picture.innerHTML = data.svg ?? '';
    picture.classList.toggle('stale', data.stale);
    note.textContent = data.note;
    scale();
  });
  picture.addEventListener('wheel', (event) => {
    const svg = picture.querySelector('svg');
    if (!event.ctrlKey || !svg) return;
    event.preventDefault();
    const now = zoom > 0 ? zoom : svg.clientWidth / svg.viewBox.baseVal.width;
    zoom = Math.min(8, Math.max(0.1, now * Math.exp(-event.deltaY / 400)));
    scale();
  }, { passive: false });
  picture.addEventListener('dblclick', () => { zoom = 0; scale(); });
  acquireVsCodeApi().postMessage('ready');
`;

/** The page, which runs its own script only and loads nothing. */
export function page(nonce: string): string {
  const policy = `default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-${nonce}'`;
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>Task graph</title>
<style>${STYLE}</style>
</head>
<body>
<div id="note" role="status"></div>
<div id="picture"></div>
<script nonce="${nonce}">${SCRIPT}</script>
</body>
</html>
`;
}
