// Requests to the registrar, with the session that a link has opened.
//
// The session is kept per origin and goes along in a header. A cookie would go to every server on
// this host, whatever its port.
const KEPT = "jrc-session";

export class ApiError extends Error {
  constructor(status, message, hint) {
    super(message);
    this.status = status;
    this.hint = hint;
  }
}

export const headers = () => ({ Authorization: `Bearer ${localStorage.getItem(KEPT) || ""}` });

/** Opens a session with the link's key, which is behind the `#` and so in no log; true if there was one. */
export async function takeLink() {
  const found = /^#key=([\w-]+)$/.exec(location.hash);
  if (!found) return false;
  history.replaceState(null, "", "#/");
  const answer = await fetch("/page/session", {
    method: "POST", body: JSON.stringify({ key: found[1] }), headers: { "Content-Type": "application/json" },
  });
  localStorage.setItem(KEPT, (await checked(answer)).session);
  return true;
}

/** How many seconds old the oldest answer is that was got since `ageS` was set to 0 (RFC 9111 §5.1). */
export const told = { ageS: 0 };

/** What the registrar answers to a GET; parameters that are empty are left out. */
export async function get(path, parameters = {}, signal = undefined) {
  const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const query = new URLSearchParams(given).toString();
  const answer = await fetch(`/page${path}${query ? `?${query}` : ""}`, { headers: headers(), signal });
  told.ageS = Math.max(told.ageS, Number(answer.headers.get("Age")));
  return checked(answer);
}

async function checked(answer) {
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new ApiError(answer.status, body.error || `HTTP ${answer.status}`, body.hint || "");
  return body;
}
