// The audit log, newest first.
import { get } from "./api.js";
import { el, field } from "./dom.js";
import { ABSENT, number, pledge, time } from "./format.js";
import { Pager, Table } from "./table.js";

const PAGE = 100;
const SETTLED_MS = 400;
const FILTERS = [
  ["kind", "Kind", "pledge.revoked"],
  ["pledge", "Pledge", "00124b0014b5b67e"],
  ["network", "Network", "lab"],
  ["since", "Since", "2h or 2026-11-30"],
];

export const columns = () => [
  { head: "Number", kind: "number", cell: (row) => number(row.number) },
  { head: "Time", cell: (row) => time(row.at) },
  { head: "Event", cell: (row) => row.kind },
  { head: "Pledge", cell: (row) => pledge(row.pledge) },
  { head: "Network", cell: (row) => row.network || ABSENT },
  { head: "By", cell: (row) => row.actor },
  { head: "Reason", kind: "text", cell: (row) => row.reason || ABSENT },
  { head: "Detail", kind: "text", cell: (row) => detail(row.detail) },
];

function detail(values) {
  const parts = Object.entries(values).map(([name, value]) => `${name.replaceAll("_", " ")}: ${typeof value === "object" ? JSON.stringify(value) : value}`);
  return parts.join("; ") || ABSENT;
}

export const events = {
  title: "Events",
  topics: ["events"],
  open(parameters, page) {
    const asked = Object.fromEntries(FILTERS.map(([name]) => [name, parameters.get(name) || ""]));
    const pager = new Pager(() => page.again(), "events");
    const again = () => {
      pager.reset();
      page.keep("events", asked);
      page.again();
    };
    const table = new Table("Entries of the audit log, the newest first", columns(), (row) => row.number);
    const tools = el("form", { class: "tools", role: "search", onsubmit: (event) => event.preventDefault() },
      ...FILTERS.map(([name, text, example]) => field(text, filter(asked, name, example, again))));
    return {
      element: el("div", {}, tools, table.element, pager.element),
      async load() {
        const found = (await get("/v1/events", { ...asked, before: pager.after, limit: PAGE })).events.reverse();
        table.show(found, { none: "There is no such event." });
        const last = found.length ? found[found.length - 1].number : null;
        const text = found.length ? `events ${number(last)} to ${number(found[0].number)}` : "none";
        pager.show(found.length === PAGE && last > 1 ? last : null, text);
      },
    };
  },
};

function filter(asked, name, example, again) {
  let timer = 0;
  const input = el("input", {
    type: "text", value: asked[name], placeholder: example, autocomplete: "off", spellcheck: "false", maxlength: 500,
    oninput: () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        asked[name] = input.value.trim();
        again();
      }, SETTLED_MS);
    },
  });
  return input;
}
