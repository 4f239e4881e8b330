// The last hour as bars, a minute each.
import { el, put, svg } from "./dom.js";
import { number } from "./format.js";

const KINDS = [["joined", "joined"], ["refused", "refused"], ["unanswered", "got no answer"]];
const WIDTH = 600;
const HEIGHT = 100;
const MINUTES = 60;

export class Chart {
  constructor() {
    this.picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
    this.legend = el("ul", { class: "legend" });
    this.element = el("div", { class: "chart" }, this.picture,
      el("p", { class: "span", "aria-hidden": "true" }, el("span", {}, "an hour ago"), el("span", {}, "now")), this.legend);
  }

  show(minutes) {
    const totals = KINDS.map(([kind, text]) => [kind, text, sum(minutes.map((each) => each[kind]))]);
    const said = totals.map(([, text, count]) => `${number(count)} ${text}`);
    const highest = Math.max(1, ...minutes.map((each) => sum(KINDS.map(([kind]) => each[kind]))));
    this.picture.setAttribute("aria-label", `The last hour, minute by minute: ${said.join(", ")}; at most ${number(highest)} a minute`);
    this.picture.replaceChildren(...bars(minutes, highest), svg("line", { class: "axis", x1: 0, x2: WIDTH, y1: HEIGHT - 0.5, y2: HEIGHT - 0.5 }));
    put(this.legend, ...totals.map(([kind], at) => el("li", { class: kind }, said[at])),
      el("li", {}, `highest bar: ${number(highest)} a minute`));
  }
}

function bars(minutes, highest) {
  const now = Math.floor(Date.now() / 60_000);
  const wide = WIDTH / MINUTES;
  const made = [];
  for (const each of minutes) {
    const place = MINUTES - 1 - (now - Math.floor(new Date(each.at) / 60_000));
    if (place < 0 || place >= MINUTES) continue;
    let top = HEIGHT;
    for (const [kind] of KINDS) {
      const tall = (each[kind] / highest) * (HEIGHT - 4);
      top -= tall;
      if (tall) made.push(svg("rect", { class: kind, x: place * wide + 1, y: top, width: wide - 2, height: tall }));
    }
  }
  return made;
}

const sum = (values) => values.reduce((total, each) => total + each, 0);
