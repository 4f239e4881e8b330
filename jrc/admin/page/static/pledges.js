// Pledges, with search and in pages.
import { get } from "./api.js";
import { choose, el, field, select } from "./dom.js";
import { ABSENT, list, number, pledge, time, word } from "./format.js";
import { Pager, Table } from "./table.js";

const PAGE = 100;
const STATES = ["joined", "provisioned", "waiting", "revoked", "superseded", "transferred", "damaged"];
const SETTLED_MS = 300;

const COLUMNS = [
  { head: "Pledge", cell: (row) => pledge(row.pledge_id) },
  { head: "Label", kind: "text", cell: (row) => row.label || ABSENT },
  { head: "State", cell: (row) => word(row.damaged ? "damaged" : row.state) },
  { head: "Networks", cell: (row) => list(row.networks) },
  { head: "Role", cell: (row) => row.role },
  { head: "Short identifier", cell: (row) => (row.short_id ? el("code", {}, row.short_id) : ABSENT) },
  { head: "Last join", cell: (row) => time(row.last_join) },
  { head: "Address", cell: (row) => (row.address ? el("code", {}, row.address) : ABSENT) },
];

export const pledges = {
  title: "Pledges",
  topics: ["pledges"],
  open(parameters, page) {
    const asked = Object.fromEntries(["search", "state", "network"].map((name) => [name, parameters.get(name) || ""]));
    const pager = new Pager(() => page.again(), "pledges");
    const again = (change) => {
      Object.assign(asked, change);
      pager.reset();
      page.keep("pledges", asked);
      page.again();
    };
    const search = searchField(asked.search, (text) => again({ search: text }));
    const state = select([["", "Any"], ...STATES.map((each) => [each, each])], asked.state, (value) => again({ state: value }));
    const network = select([["", "Any"]], "", (value) => again({ network: value }));
    const table = new Table("Pledges", COLUMNS, (row) => row.pledge_id);
    const tools = el("form", { class: "tools", role: "search", onsubmit: (event) => event.preventDefault() },
      field("Identifier or label", search), field("State", state), field("Network", network));
    return {
      element: el("div", {}, tools, table.element, pager.element),
      async load() {
        const [found, { networks }] = await Promise.all([
          get("/v1/pledges", { ...asked, after: pager.after, limit: PAGE }),
          get("/v1/networks"),
        ]);
        choose(network, [["", "Any"], ...networks.map((each) => [each.name, each.name])], asked.network);
        table.show(found.pledges, { none: asked.search || asked.state || asked.network ? "No pledge is like that." : "There is no pledge: `jrc pledge add` or `jrc pledge import` adds some." });
        const before = pager.trail.length * PAGE;
        const count = found.pledges.length;
        pager.show(found.next, count ? `${number(before + 1)} to ${number(before + count)}` : "none");
        page.announce(count ? `${count}${found.next ? " or more" : ""} pledges` : "no pledge is like that");
      },
    };
  },
};

/** Asks when nothing was typed for a moment. */
function searchField(value, onsearch) {
  let timer = 0;
  const input = el("input", {
    type: "search", value, maxlength: 64, autocomplete: "off", spellcheck: "false", placeholder: "5b67e or kitchen",
    oninput: () => {
      clearTimeout(timer);
      timer = setTimeout(() => onsearch(input.value.trim()), SETTLED_MS);
    },
  });
  return input;
}
