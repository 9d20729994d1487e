// The same events as a table.

const ROWS_AT_ONCE = 200;
let listFrom = 0;

// Turns to the page of the selected event.
function turnToSelected() {
  const row = visible.indexOf(choice.selected);
  if (row >= 0) listFrom = row;
}

function drawList() {
  const list = byId("list");
  if (list.hidden) return;
  listFrom = Math.min(listFrom, Math.max(0, visible.length - 1));
  listFrom -= listFrom % ROWS_AT_ONCE;
  const shown = visible.slice(listFrom, listFrom + ROWS_AT_ONCE);
  const rows = shown.map((place) => {
    const event = events[place];
    const named = (event.e ?? []).slice(0, 5).map((entry) => entries[entry].name).join(" ");
    const more = event.e?.length > 5 ? ` +${event.e.length - 5}` : "";
    return make("tr", { class: `${place === choice.selected ? "selected " : ""}row-${event.k}` },
      make("td", { class: "number" }, seconds(event.t)),
      make("td", {}, event.p.length > 0 ? peerNames(event.p) : "all"),
      make("td", {}, eventLink(place, sentence(place).split(", ").slice(1).join(", "))),
      make("td", {}, named + more));
  });
  const turn = (to, text) => make("button", { type: "button", disabled: to < 0 || to >= visible.length, onclick: () => {
    listFrom = to;
    drawList();
  } }, text);
  const pages = visible.length > ROWS_AT_ONCE
    ? make("p", { class: "pages" }, turn(listFrom - ROWS_AT_ONCE, "Earlier"), ` ${listFrom + 1} to ${listFrom + shown.length} of ${visible.length} `, turn(listFrom + ROWS_AT_ONCE, "Later"))
    : null;
  list.replaceChildren(table("Events", ["Time", "Where", "What", "Entries"], rows), ...(pages ? [pages] : []));
}
