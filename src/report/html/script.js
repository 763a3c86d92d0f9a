"use strict";
// Values under the pointer. Everything is on the page already; without this script it still reads.
(() => {
  const tip = document.getElementById("tip");
  const nearest = (points, x) => {
    let low = 0, high = points.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (points[middle][0] < x) low = middle; else high = middle;
    }
    return Math.abs(points[low][0] - x) <= Math.abs(points[high][0] - x) ? points[low] : points[high];
  };
  const shown = (v) => v === null ? "not a number" : Math.abs(v) >= 1000 ? Math.round(v).toLocaleString("en") : String(Number(v.toPrecision(4)));
  const hide = (cursor) => { tip.hidden = true; cursor.setAttribute("visibility", "hidden"); };
  const line = (series, i, value) => {
    const div = document.createElement("div");
    const dot = document.createElement("i");
    dot.className = "c" + i % 6;
    div.append(dot, series.name + " " + shown(value));
    return div;
  };
  for (const chart of document.querySelectorAll("svg[data-chart]")) {
    const data = JSON.parse(chart.dataset.chart);
    const cursor = chart.querySelector(".cursor");
    chart.addEventListener("pointermove", (event) => {
      const box = chart.getBoundingClientRect();
      const [left, right] = data.frame;
      const at = (event.clientX - box.left) / box.width * data.width;
      const share = Math.min(1, Math.max(0, (at - left) / (right - left)));
      const wanted = data.x[0] + share * (data.x[1] - data.x[0]);
      const found = data.series.map((s) => nearest(s.points, wanted));
      const x = found.reduce((a, b) => Math.abs(a[0] - wanted) <= Math.abs(b[0] - wanted) ? a : b)[0];
      const place = left + (x - data.x[0]) / (data.x[1] - data.x[0]) * (right - left);
      cursor.setAttribute("x1", place);
      cursor.setAttribute("x2", place);
      cursor.setAttribute("visibility", "visible");
      const head = document.createElement("b");
      head.textContent = "step " + x.toLocaleString("en");
      tip.replaceChildren(head, ...data.series.map((s, i) => line(s, i, found[i][1])));
      tip.hidden = false;
      const wide = tip.offsetWidth, high = tip.offsetHeight;
      tip.style.left = Math.max(4, Math.min(event.clientX + 14, innerWidth - wide - 6)) + "px";
      tip.style.top = Math.max(4, event.clientY - high - 12) + "px";
    });
    chart.addEventListener("pointerleave", () => hide(cursor));
  }
})();
