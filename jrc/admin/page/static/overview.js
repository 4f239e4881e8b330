// All networks at a glance.
import { get } from "./api.js";
import { el, put } from "./dom.js";
import { ABSENT, age, counted, list, number, word } from "./format.js";
import { Table } from "./table.js";

const COLUMNS = [
  { head: "Network", cell: (row) => el("strong", {}, row.name) },
  { head: "Key age", cell: (row) => age(row.in_force_since) },
  { head: "Key ids", cell: (row) => list(row.key_ids) },
  { head: "Generation", kind: "number", cell: (row) => number(row.generation) },
  { head: "Rollover", cell: (row) => (row.rollover ? el("a", { href: `#/rollovers?network=${encodeURIComponent(row.name)}` }, word(row.rollover)) : ABSENT) },
  { head: "Joined", kind: "number", cell: (row) => number(row.joined) },
  { head: "Pledges", kind: "number", cell: (row) => pledges(row) },
  { head: "Revoked", kind: "number", cell: (row) => number(row.revoked) },
  { head: "Short identifiers", kind: "number", cell: short },
  { head: "Admits", cell: (row) => admits(row) },
  { head: "Identifier", cell: (row) => el("code", {}, list(row.identifiers)) },
  { head: "Prefix", cell: (row) => el("code", {}, row.prefix) },
  { head: "Radios", cell: radios },
];

function pledges(row) {
  return el("a", { href: `#/pledges?network=${encodeURIComponent(row.name)}` }, number(row.pledges));
}

function short(row) {
  const used = `${number(row.short_ids_used)} of ${row.short_ids}`;
  return row.short_ids_low ? el("span", { class: "word bad" }, `${used}, run low`) : used;
}

function admits(row) {
  const open = row.window;
  if (!open) return row.admission.replaceAll("_", " ");
  return el("span", {}, row.admission.replaceAll("_", " "), "; ", el("span", { class: "word wait" }, "join window open"));
}

function radios(row) {
  if (!row.installers.length) return ABSENT;
  return el("span", {}, ...row.installers.map((each) =>
    el("span", { class: `word ${each.installed ? "good" : "bad"}` }, `${each.installer} ${each.installed ? "has the keys" : "has not"}`)));
}

const FACTS = [
  ["Answers joins", (found) => (found.ready ? "yes" : "no")],
  ["Joins, last minute", (found) => number(found.joins_last_minute)],
  ["Joins since start", (found) => number(found.joins_total)],
  ["Pledges", (found) => number(Object.values(found.pledges || {}).reduce((sum, each) => sum + each, 0))],
  ["Joined", (found) => number((found.pledges || {}).joined || 0)],
  ["Wait for approval", (found) => number((found.pledges || {}).waiting || 0)],
];

export const overview = {
  title: "Networks",
  topics: ["networks", "status", "rollovers"],
  open(_parameters, page) {
    const facts = el("dl", { class: "facts" });
    const notes = el("div", { class: "notes" });
    const table = new Table("Networks with the age of their link-layer keys", COLUMNS, (row) => row.name);
    const element = el("div", {}, facts, notes, table.element);
    return {
      element,
      async load() {
        const [status, { networks }, { windows }] = await Promise.all([page.status(), get("/v1/networks"), get("/v1/windows")]);
        const rows = networks.map((each) => ({
          ...each,
          ...(status.keys || {})[each.name],
          window: windows.some((window) => window.network === each.name),
        }));
        put(facts, ...FACTS.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value(status)))));
        put(notes, ...toKnow(status));
        table.show(rows, { none: "There is no network: `jrc network add` makes one." });
      },
    };
  },
};

/** What a person is to know beside the figures. */
function toKnow(status) {
  const bad = (status.troubles || []).map((each) => each.sentence || each.cause);
  const wait = (status.key_notices || []).map((each) => `${each.sentence}; see: ${each.look}`);
  wait.push(...(status.key_warnings || []));
  if (status.recovering && status.recovering.waiting) {
    wait.push(`${counted(status.recovering.waiting, "pledge")} lost the security context; see: jrc pledge list --recovering`);
  }
  if (status.updates && status.updates.why) wait.push(`Joined nodes are told nothing: ${status.updates.why}`);
  return [
    ...bad.map((text) => el("p", { class: "note bad" }, text)),
    ...wait.map((text) => el("p", { class: "note wait" }, text)),
  ];
}
