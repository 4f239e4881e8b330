// One pledge: what it is, why it gets in or not, what it tried, what happened.
import { get } from "./api.js";
import { el, put } from "./dom.js";
import { ABSENT, list, number, pledge as link, time, word } from "./format.js";
import { columns as events } from "./events.js";
import { Table } from "./table.js";

const ATTEMPTS = [
  { head: "Last", cell: (row) => time(row.last) },
  { head: "Outcome", cell: (row) => word(row.outcome) },
  { head: "Times", kind: "number", cell: (row) => number(row.count) },
  { head: "First", cell: (row) => time(row.first) },
  { head: "From", cell: (row) => el("code", {}, row.peer) },
  { head: "Proved its key", cell: (row) => (row.authenticated ? "yes" : "no") },
];
const KEYS = [
  { head: "Key", cell: (row) => row.kind },
  { head: "State", cell: (row) => row.state },
  { head: "Key check", cell: (row) => (row.key_check ? el("code", {}, row.key_check) : ABSENT) },
  { head: "Provenance", cell: (row) => row.provenance },
  { head: "Source", kind: "text", cell: (row) => row.source || ABSENT },
  { head: "Since", cell: (row) => time(row.since) },
];
const UNKNOWN = 422;

export const pledge = {
  title: "Pledge",
  topics: ["pledges", "joins"],
  open(parameters, page) {
    const id = parameters.get("id") || "";
    const path = `/v1/pledges/${encodeURIComponent(id)}`;
    const facts = el("dl", { class: "facts" });
    const why = el("div");
    const attempts = new Table("What it tried lately", ATTEMPTS, (row) => `${row.outcome} ${row.first} ${row.authenticated}`);
    const keys = new Table("Its keys, without their values", KEYS, (row) => `${row.kind} ${row.since} ${row.state}`);
    const log = new Table("What happened to it, joins left out", events(), (row) => row.number);
    page.title(`Pledge ${id}`);
    return {
      element: el("div", {}, el("p", {}, el("a", { href: "#/pledges" }, "All pledges")), facts, el("h2", {}, "Why it gets in, or not"), why,
        el("h2", {}, "Attempts"), attempts.element, el("h2", {}, "Keys"), keys.element, el("h2", {}, "Events"), log.element,
        el("p", {}, el("a", { href: `#/events?pledge=${encodeURIComponent(id)}` }, "All its events"))),
      async load() {
        const [explained, shown] = await Promise.all([get(`${path}/attempts`), get(path).catch(unknown)]);
        put(facts, ...(shown ? known(shown) : [["State", word(explained.state)]]).map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
        put(why, ...sentences(explained));
        attempts.show(explained.attempts || [], { none: "Nothing was heard of it since the daemon started." });
        keys.show(shown ? shown.keys : [], { none: "The registrar has no key of it." });
        log.show(shown ? shown.events : [], { none: "Nothing." });
      },
    };
  },
};

/** Nobody has this identifier: what was heard of it is shown all the same. */
function unknown(error) {
  if (error.status === UNKNOWN) return null;
  throw error;
}

function known(shown) {
  const facts = [
    ["State", word(shown.damaged ? "damaged" : shown.state)],
    ["Label", shown.label || ABSENT],
    ["Networks", list(shown.networks)],
    ["Joined", shown.joined_network || ABSENT],
    ["Role", shown.role],
    ["Profile", shown.profile_in_force],
    ["Short identifier", shown.short_id || ABSENT],
    ["Address", shown.address || ABSENT],
    ["Last join", time(shown.last_join)],
    ["Added", time(shown.created)],
  ];
  if (shown.replaces) facts.push(["Replaces", link(shown.replaces)]);
  if (shown.replaced_by) facts.push(["Replaced by", link(shown.replaced_by)]);
  return facts;
}

function sentences(explained) {
  const told = new Set(explained.facts.map((each) => each.reason));
  const meanings = explained.meanings.filter((each) => !told.has(each.outcome));
  const heard = explained.heard ? [explained.heard] : [];
  const blocked = explained.facts.some((each) => each.blocks);
  return [
    blocked ? null : el("p", {}, "Nothing in the database keeps it from joining."),
    ...explained.facts.map((each) => sentence(each.reason, each.sentence, each.what_to_do, each.blocks)),
    ...[...meanings, ...heard].map((each) => sentence(each.outcome, each.meaning, each.what_to_do, false)),
  ];
}

function sentence(code, text, remedy, blocks) {
  return el("div", { class: `note ${blocks ? "bad" : ""}`.trim() }, el("p", {}, word(code), " ", text), el("p", { class: "soft" }, `To do: ${remedy}`));
}
