// Times, durations, numbers and words as people read them.
import { el } from "./dom.js";

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const DAY = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "short", day: "numeric" });
const NUMBER = new Intl.NumberFormat(undefined);

export const ABSENT = "–";
export const zone = () => Intl.DateTimeFormat().resolvedOptions().timeZone || "local time";
export const number = (value) => (value === null || value === undefined ? ABSENT : NUMBER.format(value));

/** `1 pledge`, `3 pledges`. */
export const counted = (count, noun) => `${number(count)} ${noun}${count === 1 ? "" : "s"}`;

/** A time of the API, which is in UTC, in the zone of this browser; the day where it is not today. */
export function time(at) {
  if (!at) return ABSENT;
  const moment = new Date(at);
  const today = DAY.format(new Date()) === DAY.format(moment);
  const text = today ? CLOCK.format(moment) : `${DAY.format(moment)}, ${CLOCK.format(moment)}`;
  return el("time", { datetime: at, title: at.replace("T", " ").replace("Z", " UTC") }, text);
}

/** How long ago: `3 d 4 h`, `5 min`. */
export function age(at) {
  if (!at) return ABSENT;
  return el("time", { datetime: at, title: at.replace("T", " ").replace("Z", " UTC") },
    duration((Date.now() - new Date(at)) / 1000));
}

export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const parts = [[Math.floor(whole / 86400), "d"], [Math.floor(whole / 3600) % 24, "h"], [Math.floor(whole / 60) % 60, "min"]];
  const shown = parts.filter(([count]) => count).slice(0, 2).map(([count, unit]) => `${count} ${unit}`);
  return shown.join(" ") || `${whole} s`;
}

const GOOD = ["joined", "reached", "done", "answer_resent", "resent", "reverted", "switched"];
const BAD = ["unreachable", "refused", "revoked", "damaged", "aborted", "failed", "damaged_state", "bad_tag", "quarantined"];
const PLAIN = ["provisioned", "left", "superseded", "transferred", "planned"];

/** A state as a coloured word; the word says it all, the colour repeats it. */
export function word(state) {
  if (!state) return ABSENT;
  const kind = GOOD.includes(state) ? "good" : BAD.includes(state) ? "bad" : PLAIN.includes(state) ? "" : "wait";
  return el("span", { class: `word ${kind}`.trim() }, String(state).replaceAll("_", " "));
}

/** An identifier as it is copied, with a way to its pledge. */
export function pledge(id) {
  return id ? el("a", { class: "id", href: `#/pledge?id=${encodeURIComponent(id)}` }, id) : ABSENT;
}

export const list = (texts) => (texts && texts.length ? texts.join(", ") : ABSENT);
