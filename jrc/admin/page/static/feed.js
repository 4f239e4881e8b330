// Server-sent events over fetch: an EventSource can't send the session's header.
import { headers } from "./api.js";

const SILENCE_MS = 40_000;
const LONGEST_MS = 8_000;
const FIRST_MS = 500;

/**
 * Listens for as long as the page is there, and connects again when the registrar comes back.
 * `onChange` gets a number by topic; `onLink` gets "live", "lost" or "refused" with the status.
 */
export async function listen(onChange, onLink) {
  let wait = FIRST_MS;
  for (;;) {
    try {
      await connection((revisions) => {
        wait = FIRST_MS;
        onLink("live");
        onChange(revisions);
      });
      onLink("lost");
    } catch (error) {
      onLink(error.status === 401 ? "refused" : "lost", error.status);
      if (error.status === 401) return;
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
    wait = Math.min(LONGEST_MS, wait * 2);
  }
}

async function connection(onChange) {
  const control = new AbortController();
  let timer = setTimeout(() => control.abort(), SILENCE_MS);
  try {
    const answer = await fetch("/page/feed", { headers: headers(), signal: control.signal });
    if (!answer.ok) throw Object.assign(new Error("refused"), { status: answer.status });
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = ""; ;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(() => control.abort(), SILENCE_MS);
      const events = (rest + value).split("\n\n");
      rest = events.pop();
      for (const each of events) take(each, onChange);
    }
  } finally {
    clearTimeout(timer);
    control.abort();
  }
}

function take(text, onChange) {
  const lines = text.split("\n");
  if (!lines.includes("event: changed")) return;
  const data = lines.filter((line) => line.startsWith("data: ")).map((line) => line.slice(6)).join("\n");
  onChange(JSON.parse(data));
}
