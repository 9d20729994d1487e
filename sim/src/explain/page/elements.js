// Elements with their attributes and children in one expression. Text is always text.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") Object.assign(element.style, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}
const make = (name, attributes = {}, ...children) =>
  fill(document.createElement(name), attributes, children);
const draw = (name, attributes = {}, ...children) =>
  fill(document.createElementNS(SVG, name), attributes, children);

const byId = (id) => document.getElementById(id);

function link(text, onclick, label) {
  return make("button", { type: "button", class: "link", "aria-label": label, onclick }, text);
}

// A button that selects an event.
function eventLink(place, text = sentence(place)) {
  return link(text, () => select(place));
}

// A button that selects an event and goes there, wherever on the page that is.
function leadTo(place, text, where) {
  return link(text, () => {
    select(place);
    goToSelected();
  }, `${text}, ${where}`);
}

// Selects an event, among all and unfiltered if it is not shown.
function select(place) {
  const shown = visible.includes(place);
  if (shown) return change({ selected: place });
  leaveNothingOut();
  change({ scope: "all", entry: null, selected: place });
}

// A button that shows the way of an entry.
function entryLink(entry) {
  const follow = () => change({ entry, selected: choice.selected });
  const title = `Show where ${entries[entry].name} has been`;
  return make("button", { type: "button", class: "link entry", title, onclick: follow },
    entries[entry].name);
}

// A table whose first column are headings; `cells` gives the cells of a row.
function table(caption, heads, rows) {
  const head = make("tr", {}, heads.map((text) => make("th", { scope: "col" }, text)));
  return make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    make("table", {}, make("caption", { class: "unseen" }, caption), make("thead", {}, head),
      make("tbody", {}, rows)));
}

function vectorText(rows) {
  return rows.map(([author, last]) => `${author} ${last}`).join(", ");
}
