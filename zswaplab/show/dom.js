/* Elements as descriptions: a drawing says what there is, `patch` changes only what differs from the last drawing. */

export const SVG = "http://www.w3.org/2000/svg";
const NONE = {};
const selectors = new Map(); // "span.dim" -> ["span", "dim"]

function parsed(selector) {
  if (!selectors.has(selector)) {
    const [tag, ...classes] = selector.split(".");
    selectors.set(selector, [tag || "div", classes.join(" ")]);
  }
  return selectors.get(selector);
}

function into(list, child) {
  if (Array.isArray(child)) for (const one of child) into(list, one);
  else if (typeof child === "number") list.push(String(child));
  else if (child != null && child !== false && child !== "") list.push(child);
  return list;
}

const isChild = (value) => typeof value === "string" || Array.isArray(value) || value?.tag !== undefined;

/* A description: h("span.dim", { title }, ...children); the attributes may be left out, and so may "div".
   One with a `key` is told from its neighbours by it. */
export function h(selector, given, ...children) {
  const [tag, names] = parsed(selector);
  const attributes = given == null || isChild(given) ? NONE : given;
  const list = into([], children);
  if (given !== attributes && given != null) list.unshift(...into([], given));
  if (!names) return { tag, key: attributes.key, attributes, children: list };
  const own = attributes.class ? `${names} ${attributes.class}` : names;
  return { tag, key: attributes.key, attributes: { ...attributes, class: own }, children: list };
}

function set(element, name, value) {
  if (name === "key") return;
  if (value == null || value === false) element.removeAttribute(name);
  else element.setAttribute(name, value === true ? "" : value);
}

/* The element that a description is of, for what stays. */
export function make(node, inside = document.body) {
  if (typeof node === "string") return document.createTextNode(node);
  const drawing = node.tag === "svg" || inside.namespaceURI === SVG;
  const element = drawing ? document.createElementNS(SVG, node.tag) : document.createElement(node.tag);
  for (const name in node.attributes) if (node.attributes[name] != null) set(element, name, node.attributes[name]);
  patch(element, node.children);
  return element;
}

/* Make what was drawn look as `node` says. */
function renew(drawn, node) {
  const { node: before, element } = drawn;
  if (before === node) return;
  drawn.node = node;
  if (typeof node === "string") {
    element.data = node;
    return;
  }
  const [now, then] = [node.attributes, before.attributes];
  for (const name in then) if (!(name in now)) set(element, name, null);
  for (const name in now) if (now[name] !== then[name]) set(element, name, now[name]);
  patch(element, node.children);
}

function alike(drawn, node) {
  if (drawn === undefined) return false;
  if (typeof node === "string") return typeof drawn.node === "string";
  return drawn.node.tag === node.tag && drawn.node.key === node.key;
}

/* Make the children of `parent` what `given` describes, keeping every element that only has to change a little. */
export function patch(parent, given) {
  const nodes = into([], given);
  const old = parent.drawn ?? [];
  if (old.length === nodes.length && nodes.every((node, index) => alike(old[index], node))) {
    nodes.forEach((node, index) => renew(old[index], node));
    return;
  }
  const keyed = new Map(old.filter(({ node }) => node.key !== undefined).map((drawn) => [drawn.node.key, drawn]));
  const loose = old.filter(({ node }) => node.key === undefined);
  const kept = new Set();
  parent.drawn = nodes.map((node) => {
    const twin = node.key === undefined ? loose.shift() : keyed.get(node.key);
    if (!alike(twin, node) || kept.has(twin)) return { node, element: make(node, parent) };
    kept.add(twin);
    renew(twin, node);
    return twin;
  });
  for (const drawn of old) if (!kept.has(drawn)) drawn.element.remove();
  let place = parent.firstChild;
  for (const { element } of parent.drawn) {
    if (element === place) place = place.nextSibling;
    else parent.insertBefore(element, place);
  }
}

/* Descriptions that are the same as long as what they are made of is: `patch` then has nothing to look at. */
export class Memory {
  kept = new Map();

  of(key, values, build) {
    const known = this.kept.get(key);
    if (known && known.values.every((value, index) => value === values[index])) return known.node;
    const node = build();
    this.kept.set(key, { values, node });
    return node;
  }
}

function isDark() {
  const light = document.body.dataset.jpThemeLight;
  return light ? light === "false" : matchMedia("(prefers-color-scheme: dark)").matches;
}

/* Let an element follow the theme of JupyterLab, or of the system; what is returned ends that. */
export function themed(root) {
  const theme = () => (root.dataset.theme = isDark() ? "dark" : "light");
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  const themes = new MutationObserver(theme);
  themes.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  scheme.addEventListener("change", theme);
  theme();
  return () => {
    themes.disconnect();
    scheme.removeEventListener("change", theme);
  };
}
