// What is shown, and when it is asked for anew.
import { get, takeLink, told } from "./api.js";
import { el, put, say } from "./dom.js";
import { events } from "./events.js";
import { listen } from "./feed.js";
import { duration, zone } from "./format.js";
import { joins } from "./joins.js";
import { overview } from "./overview.js";
import { pledge } from "./pledge.js";
import { pledges } from "./pledges.js";
import { rollovers } from "./rollovers.js";

const VIEWS = { "": overview, joins, rollovers, pledges, pledge, events };
const UNDER = { pledge: "pledges" };
const APART_MS = 1000; // looks at the registrar, at least
const OLDEST_MS = 15_000; // ages go on, and other registrars may have changed something
const STATUS_MS = 5_000;
const ANNOUNCED_MS = 5_000;
const ENDED = 401;

const at = (id) => document.getElementById(id);
const main = at("view");
let view = null; // what is open: its topics, element and load()
let seen = {}; // numbers of the feed when the view was loaded
let latest = {};
let paused = false;
let timer = 0;
let busy = false;
let again = null; // "soon" or "now", once the load that goes on has ended
let startedMs = 0;
let known = { status: null, atMs: 0 };
let refused = null; // why the link was not taken
let announced = { text: "", atMs: 0 };

const page = {
  /** Says it to who can't see it; figures that change often wait until the last was heard. */
  announce(text, urgent = false) {
    const now = Date.now();
    if (text === announced.text || (!urgent && now - announced.atMs < ANNOUNCED_MS)) return;
    announced = { text, atMs: now };
    say(at("live"), text);
  },
  title(text) {
    document.title = `${text} · jrc`;
    say(main.querySelector("h1"), text);
  },
  /** The address says what is shown, without opening the view anew. */
  keep(name, parameters) {
    history.replaceState(null, "", hash(name, parameters));
  },
  again: () => load(true),
  async status() {
    if (!known.status || Date.now() - known.atMs > STATUS_MS) known = { status: await get("/v1/status"), atMs: Date.now() };
    return known.status;
  },
};

function hash(name, parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value);
  const query = new URLSearchParams(given).toString();
  return `#/${name}${query ? `?${query}` : ""}`;
}

function open(focus) {
  const [name, query] = location.hash.replace(/^#\/?/, "").split("?");
  const chosen = VIEWS[name] || overview;
  for (const each of at("views").querySelectorAll("a")) {
    const is = each.getAttribute("href") === `#/${UNDER[name] || name}`;
    if (is) each.setAttribute("aria-current", "page");
    else each.removeAttribute("aria-current");
  }
  const title = el("h1", { tabindex: "-1" }, chosen.title);
  const trouble = el("div");
  main.replaceChildren(title, trouble);
  page.title(chosen.title);
  const made = chosen.open(new URLSearchParams(query || ""), page);
  view = { ...made, topics: chosen.topics, trouble };
  main.append(made.element);
  if (focus) title.focus();
  load(true);
}

/** Loads what is open, one at a time and not too often; `now` is for what a person has asked for. */
async function load(now = false) {
  if (!now && (paused || document.hidden)) return;
  clearTimeout(timer);
  if (busy) {
    again = now ? "now" : again || "soon";
    return;
  }
  const wait = now ? 0 : startedMs + APART_MS - Date.now();
  if (wait > 0) {
    timer = setTimeout(load, wait);
    return;
  }
  busy = true;
  startedMs = Date.now();
  const [shown, numbers] = [view, { ...latest }];
  try {
    told.ageS = 0;
    await shown.load();
    seen = numbers;
    put(shown.trouble, told.ageS ? el("p", { class: "note" }, `This was read ${duration(told.ageS)} ago: reads rest for the sake of joins.`) : null);
    await header();
  } catch (error) {
    failed(shown, error);
  }
  busy = false;
  const next = again;
  again = null;
  if (view) timer = setTimeout(() => load(next === "now"), next ? 0 : OLDEST_MS);
}

function failed(shown, error) {
  if (error.status === ENDED) return needsLink();
  const what = error.status ? error.message : "The registrar does not answer; what is shown is as of before.";
  put(shown.trouble, el("div", { class: "note bad", role: "alert" }, el("p", {}, what), error.hint ? el("p", { class: "soft" }, error.hint) : null));
}

async function header() {
  const status = await page.status();
  const state = at("state");
  put(state, el("span", { class: `word ${status.ready ? "good" : "bad"}` }, status.ready ? "answers joins" : "answers no joins"), status.why ? ` ${status.why}` : "");
  say(at("about"), `jrc ${status.version}, up for ${duration(status.uptime_s)}. Times are in the zone of this browser (${zone()}). This page changes nothing: that is done with the command jrc.`);
}

function needsLink() {
  if (!view) return;
  view = null;
  clearTimeout(timer);
  document.title = "jrc";
  main.replaceChildren(
    el("h1", { tabindex: "-1" }, "This page needs a link"),
    el("p", {}, "There is no session in this browser, or it has ended. On the registrar's host, run ", el("code", {}, "jrc page"), " and open the link that it prints: it works once."),
  );
  if (refused) main.append(el("p", { class: "note bad" }, `${refused.message}. ${refused.hint}`));
  put(at("state"));
}

const LINKS = { live: "live", lost: "no connection, trying again", refused: "no session" };

function onLink(state, status) {
  const text = state === "lost" && status === 503 ? "too many pages are open" : LINKS[state];
  const shown = at("link");
  if (shown.textContent === text) return;
  if (state === "live" && shown.classList.contains("lost")) {
    known.atMs = 0;
    page.announce("The registrar is back.", true);
  }
  if (state === "lost") page.announce("The connection to the registrar is lost.", true);
  shown.className = `dot ${state}`;
  say(shown, text);
  if (state === "refused") needsLink();
}

function onChange(revisions) {
  latest = revisions;
  if (view && view.topics.some((topic) => seen[topic] !== revisions[topic])) load();
}

function pause(event) {
  paused = !paused;
  event.currentTarget.setAttribute("aria-pressed", String(paused));
  if (!paused) load(true);
}

async function start() {
  at("pause").addEventListener("click", pause);
  // The address says which view is open: a way to a place in it would be taken for another one.
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    main.focus();
  });
  try {
    await takeLink();
  } catch (error) {
    refused = error; // a session from before may be good all the same
  }
  addEventListener("hashchange", () => (location.hash.startsWith("#key=") ? location.reload() : open(true)));
  document.addEventListener("visibilitychange", () => load());
  open(false);
  listen(onChange, onLink);
}

start();
