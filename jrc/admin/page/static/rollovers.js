// A change of link-layer keys as it goes on: a row a node, a time for each step.
import { get } from "./api.js";
import { choose, el, field, put, say, select } from "./dom.js";
import { ABSENT, counted, list, number, pledge, time, word } from "./format.js";
import { Pager, Table } from "./table.js";

const PAGE = 100;
const STATES = ["pending", "sent", "reached", "refused", "unreachable", "must_join", "reverting", "reverted", "left"];
const TOLD = ["pending", "sent", "reached", "refused", "unreachable"];
const PHASES = [
  ["planned", "Planned", "started"],
  ["distributing", "6LNs are told", "distributing"],
  ["switching", "6LBRs switch", "switching"],
  ["guarding", "Guard time", "guarding"],
  ["done", "Done", "ended"],
];

function columns(status) {
  return [
    { head: "Node", cell: (row) => pledge(row.pledge_id) },
    { head: "Role", cell: (row) => row.role },
    { head: "State", cell: (row) => word(row.state) },
    { head: "Told", cell: (row) => time(row.sent) },
    { head: "Has the keys", cell: (row) => time(row.reached) },
    { head: "Sends with them", cell: (row) => time(switched(row, status())) },
    { head: "Former keys gone", cell: (row) => time(gone(row, status())) },
    { head: "Attempts", kind: "number", cell: (row) => number(row.attempts) },
    { head: "Next try", cell: (row) => time(row.next) },
    { head: "Trouble", kind: "text", cell: (row) => row.last_error || ABSENT },
    { head: "Network", cell: (row) => row.network },
  ];
}

/**
 * Since when a node sends with the new keys. A 6LBR begins as it gets them; a 6LN follows what it hears, which is certain when
 * each 6LBR has begun, and in a network without any it is not (RFC 9031 §8.4.3.1-2).
 */
function switched(row, status) {
  const hears = !(status.without_router || []).includes(row.network);
  const begun = row.role === "6lbr" ? status.switching : hears && status.guarding;
  if (row.state !== "reached" || !row.reached || !begun) return null;
  return row.reached > begun ? row.reached : begun;
}

const gone = (row, status) => (status.phase === "done" && row.state === "reached" ? status.ended : null);

export const rollovers = {
  title: "Rollovers",
  topics: ["rollovers"],
  open(parameters, page) {
    const view = new View(parameters, page);
    return { element: view.element, load: () => view.load() };
  },
};

class View {
  constructor(parameters, page) {
    this.page = page;
    this.network = parameters.get("network") || "";
    this.states = parameters.get("states") || "";
    this.status = {};
    this.choice = select([], this.network, (network) => this.ask({ network, states: "" }));
    this.headline = el("h2", {});
    this.phases = el("ol", { class: "phases", "aria-label": "Phases" });
    this.bar = el("progress", { max: 1, value: 0, "aria-label": "Nodes that have the new keys" });
    this.sum = el("p", {});
    this.notes = el("div");
    this.chips = el("div", { class: "chips", role: "group", "aria-label": "Nodes by state" });
    this.pager = new Pager(() => page.again(), "nodes");
    this.table = new Table("Nodes", columns(() => this.status), (row) => row.pledge_id, { flashes: true });
    this.last = el("dl", { class: "facts" });
    this.body = el("div", { hidden: true }, this.headline, this.phases, this.sum, this.bar, this.notes, this.chips, this.table.element, this.pager.element, this.last);
    this.none = el("p", { class: "note", hidden: true });
    this.element = el("div", {}, el("div", { class: "tools" }, field("Network", this.choice)), this.none, this.body);
  }

  async load() {
    const { rollovers: all } = await get("/v1/rollovers");
    const chosen = this.network || first(all);
    choose(this.choice, all.map((each) => [each.network, `${each.network}: ${each.phase || "no rollover yet"}`]), chosen);
    if (!chosen) return this.nothing("There is no network: `jrc network add` makes one.");
    const path = `/v1/rollovers/${encodeURIComponent(chosen)}`;
    const found = await get(path, { limit: PAGE, after: this.pager.after, states: this.states });
    if (!found.phase) return this.nothing(`${chosen} has had no rollover: \`jrc rollover start ${chosen}\` starts one.`);
    if (this.status.id && this.status.id !== found.id) this.pager.reset();
    this.none.hidden = true;
    this.body.hidden = false;
    this.status = found;
    this.show(found);
  }

  nothing(text) {
    this.body.hidden = true;
    this.none.hidden = false;
    say(this.none, text);
  }

  show(found) {
    const counts = by(found.counts);
    const told = sum(TOLD.map((state) => counts[state] || 0));
    say(this.headline, `${found.networks.join(" and ")}: ${found.phase}, key ids ${list(found.key_ids)} in place of ${list(found.former_key_ids)}`);
    put(this.phases, ...phases(found));
    const text = `${number(counts.reached || 0)} of ${counted(told, "node")} ${told === 1 ? "has" : "have"} the new keys`;
    say(this.sum, text);
    this.bar.max = Math.max(1, told);
    this.bar.value = counts.reached || 0;
    put(this.notes, ...notes(found).map((each) => el("p", { class: "note wait" }, each)));
    this.filters(counts);
    this.table.show(found.nodes, { caption: `Nodes of ${found.networks.join(" and ")}`, none: "No node is in this state." });
    this.count(found, counts);
    put(this.last, ...facts(found).map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
    this.page.announce(`${found.networks.join(" and ")}: ${found.phase}, ${text}`);
  }

  filters(counts) {
    const all = sum(Object.values(counts));
    const wanted = [["", "All", all], ...STATES.filter((state) => counts[state] || state === this.states).map((state) => [state, state.replaceAll("_", " "), counts[state] || 0])];
    const known = new Map([...this.chips.children].map((each) => [each.dataset.states, each]));
    wanted.forEach(([state, name, count], at) => {
      const chip = known.get(state) || this.chip(state);
      known.delete(state);
      say(chip, `${name} ${number(count)}`);
      chip.setAttribute("aria-pressed", String(this.states === state));
      if (this.chips.children[at] !== chip) this.chips.insertBefore(chip, this.chips.children[at] || null);
    });
    for (const each of known.values()) each.remove();
  }

  chip(state) {
    return el("button", { type: "button", "data-states": state, onclick: () => this.ask({ states: state }) }, "");
  }

  /** Shows another network, or other nodes of it. */
  ask(change) {
    Object.assign(this, change);
    this.pager.reset();
    this.page.keep("rollovers", { network: this.network, states: this.states });
    this.page.again();
  }

  count(found, counts) {
    const total = this.states ? counts[this.states] || 0 : sum(Object.values(counts));
    const before = this.pager.trail.length * PAGE;
    const shown = found.nodes.length ? `${number(before + 1)} to ${number(before + found.nodes.length)}` : "none";
    this.pager.show(found.next, `${shown} of ${counted(total, "node")}`);
  }
}

/** The network whose rollover is under way, else the first. */
function first(all) {
  const running = all.find((each) => each.phase && !each.ended);
  return (running || all.find((each) => each.phase) || all[0] || {}).network || "";
}

/** Nodes by state, 6LNs and 6LBRs together. */
function by(counts) {
  const found = {};
  for (const states of Object.values(counts || {})) {
    for (const [state, count] of Object.entries(states)) found[state] = (found[state] || 0) + count;
  }
  return found;
}

function phases(found) {
  const current = found.paused ? found.paused.phase : found.phase;
  const shown = found.phase === "aborted" ? [...PHASES.filter(([, , at]) => at !== "ended" && found[at]), ["aborted", "Called off", "ended"]] : PHASES;
  return shown.map(([phase, name, at]) => {
    const is = phase === current;
    return el("li", { class: found[at] && !is ? "past" : null, "aria-current": is ? "step" : null }, name, found[at] ? time(found[at]) : null);
  });
}

function notes(found) {
  const told = [];
  if (found.paused) told.push(found.paused.sentence);
  if (found.hindered) told.push(`Nobody is told anything: ${found.hindered}`);
  for (const [name, each] of Object.entries(found.installers || {})) {
    if (each.error) told.push(`Installer ${name} has failed: ${each.error}`);
  }
  for (const name of found.switching && !found.ended ? found.without_router : []) {
    told.push(`Network ${name} has no 6LBR that is told the new keys, and no installer: its 6LNs go on with the old ones`);
  }
  return told;
}

function facts(found) {
  return [
    ["Cause", found.cause || ABSENT],
    ["Started by", found.actor || ABSENT],
    ["Reason", found.reason || ABSENT],
    ["Deadline", time(found.deadline)],
    ["Wanted next", found.wanted || ABSENT],
  ];
}

const sum = (values) => values.reduce((total, each) => total + each, 0);
