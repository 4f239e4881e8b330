// A table whose rows stay the same elements as long as they mean the same thing.
import { el, put, say } from "./dom.js";

/**
 * `columns`: {head, cell(row), kind}: kind is "number", "text" or nothing; the first one names the row.
 * `key(row)` tells which row it is; where it `flashes`, a row that has changed does. The table is in a region that scrolls where it is too wide.
 */
export class Table {
  constructor(caption, columns, key, { flashes = false } = {}) {
    this.columns = columns;
    this.flashes = flashes;
    this.key = key;
    this.rows = new Map();
    this.caption = el("caption", {}, caption);
    this.body = el("tbody");
    const head = columns.map((each) => el("th", { scope: "col", class: each.kind === "number" ? "number" : null }, each.head));
    const table = el("table", {}, this.caption, el("thead", {}, el("tr", {}, ...head)), this.body);
    this.empty = el("p", { class: "note", hidden: true });
    this.frame = el("div", { class: "wide", role: "region", tabindex: "0", "aria-label": caption }, table);
    this.element = el("div", {}, this.frame, this.empty);
  }

  /** Shows these rows in this order; `none` is said where there is none. */
  show(rows, { caption = null, none = "There is none." } = {}) {
    if (caption) say(this.caption, caption);
    const before = this.flashes && this.rows.size > 0;
    const kept = new Map();
    for (const row of rows) kept.set(this.key(row), this.row(row, before));
    this.rows = kept;
    const elements = [...kept.values()];
    if (elements.length !== this.body.children.length || elements.some((each, at) => this.body.children[at] !== each)) {
      this.place(elements);
    }
    this.frame.hidden = rows.length === 0;
    this.empty.hidden = rows.length > 0;
    say(this.empty, none);
  }

  /** Rows in their order, with those left alone that are in their place: they may have the focus. */
  place(elements) {
    const wanted = new Set(elements);
    for (const each of [...this.body.children]) if (!wanted.has(each)) each.remove();
    elements.forEach((each, at) => {
      if (this.body.children[at] !== each) this.body.insertBefore(each, this.body.children[at] || null);
    });
  }

  row(row, announce) {
    const known = this.rows.get(this.key(row));
    const made = known || el("tr", {}, ...this.columns.map((each, at) =>
      at === 0 ? el("th", { scope: "row" }) : el("td", { class: each.kind || null })));
    const before = made.textContent;
    this.columns.forEach((each, at) => put(made.children[at], each.cell(row)));
    if (announce && made.textContent !== before) flash(made);
    return made;
  }
}

function flash(row) {
  row.classList.remove("fresh");
  void row.offsetWidth;
  row.classList.add("fresh");
}

/** Buttons to the page before and the next one; `go` is called with what the next page begins after. */
export class Pager {
  constructor(go, noun) {
    this.go = go;
    this.noun = noun;
    this.trail = [];
    this.after = null;
    this.next = null;
    this.back = el("button", { type: "button", onclick: () => this.turn(this.trail.pop(), false) }, "Back");
    this.forward = el("button", { type: "button", onclick: () => this.turn(this.next, true) }, "Next");
    this.text = el("p", {});
    this.element = el("div", { class: "pager", role: "group", "aria-label": `Pages of ${noun}` }, this.back, this.forward, this.text);
  }

  turn(after, forward) {
    if (forward) this.trail.push(this.after);
    this.after = after;
    this.go();
  }

  reset() {
    this.trail = [];
    this.after = null;
  }

  show(next, text) {
    this.next = next;
    this.back.disabled = this.trail.length === 0;
    this.forward.disabled = next === null;
    say(this.text, text);
  }
}
