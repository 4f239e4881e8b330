// Elements are made here and nowhere else: text is always text, whoever has written it.

/** An element; `on...` attributes are functions, null and false ones are left out. */
export function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  set(made, attributes);
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

/** An element of a picture. */
export function svg(name, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  set(made, attributes);
  made.append(...children);
  return made;
}

function set(made, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) {
      made.setAttribute(name, value);
    }
  }
}

/** Puts `text` there if it is not there already, so that nothing is read aloud twice. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Replaces what is in `element`, unless it looks the same. */
export function put(element, ...children) {
  const made = document.createElement(element.localName);
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  if (made.innerHTML !== element.innerHTML) element.replaceChildren(...made.childNodes);
}

/** A field of a form with its name above it. */
export function field(name, input) {
  return el("label", {}, name, input);
}

/** A choice; `options` are pairs of value and text. */
export function select(options, value, onchange) {
  const made = el("select", { onchange: () => onchange(made.value) });
  choose(made, options, value);
  return made;
}

/** Gives a choice other options. */
export function choose(element, options, value) {
  put(element, ...options.map(([each, text]) => el("option", { value: each }, text)));
  element.value = value;
}
