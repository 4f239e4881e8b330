// What pledges have tried lately, and why it did not work.
import { get } from "./api.js";
import { Chart } from "./chart.js";
import { el, field, put, select } from "./dom.js";
import { ABSENT, number, pledge, time, word } from "./format.js";
import { Table } from "./table.js";

const MOST = 100;
const SHOWN = [["", "All"], ["kept out", "Those that were kept out"], ["joined", "Those that joined"]];
const GOOD = ["joined", "resent"];

const COLUMNS = [
  { head: "Last", cell: (row) => time(row.last) },
  { head: "Pledge", cell: (row) => pledge(row.pledge_id) },
  { head: "Outcome", cell: (row) => word(row.outcome) },
  { head: "Times", kind: "number", cell: (row) => number(row.count) },
  { head: "Network", cell: (row) => row.network || ABSENT },
  { head: "Meaning", kind: "text", cell: (row) => row.meaning },
  { head: "What to do", kind: "text", cell: (row) => (GOOD.includes(row.outcome) ? ABSENT : row.what_to_do) },
  { head: "Since", cell: (row) => (row.count > 1 ? time(row.first) : ABSENT) },
  { head: "From", cell: (row) => el("code", {}, row.own_proxy ? `${row.peer} by own proxy ${row.own_proxy}` : row.peer) },
  { head: "Proved its key", cell: (row) => (row.authenticated ? "yes" : "no") },
];

export const joins = {
  title: "Joins",
  topics: ["joins"],
  open(parameters, page) {
    const chart = new Chart();
    let which = parameters.get("show") || "";
    const filter = select(SHOWN, which, (show) => {
      which = show;
      page.keep("joins", { show });
      page.again();
    });
    const table = new Table("Last attempts to join", COLUMNS, (row) => `${row.pledge_id} ${row.outcome} ${row.first} ${row.authenticated}`, { flashes: true });
    const note = el("div");
    const element = el("div", {}, chart.element, el("div", { class: "tools" }, field("Show", filter)), note, table.element,
      el("p", { class: "soft" }, "The daemon remembers attempts since its start, of the last 1,024 pledges and 256 unknown identifiers; repeated ones are one row."));
    return {
      element,
      async load() {
        const [{ attempts }, { minutes }] = await Promise.all([get("/v1/attempts", { limit: MOST }), get("/minutes")]);
        const rows = attempts.filter((each) => !which || GOOD.includes(each.outcome) === (which === "joined"));
        chart.show(minutes);
        put(note, rows.length === MOST ? el("p", { class: "soft" }, `The last ${MOST} are shown.`) : null);
        table.show(rows, { none: "Nothing of this kind was heard since the daemon started." });
      },
    };
  },
};
