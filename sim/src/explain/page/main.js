// The controls above the picture, and who is told of which choice.

const SCOPES = [
  { id: "slice", name: "Led to the failure", count: story.slice.length, offered: story.slice.length > 1 },
  { id: "main", name: "Main events", offered: true },
  { id: "all", name: "Every event", count: events.length, offered: true },
  { id: "past", name: "Led to one event", offered: false },
];

function check(label, checked, onchange) {
  return make("label", {}, make("input", { type: "checkbox", checked, onchange }), ` ${label}`);
}

function hide(set, value, shown) {
  if (shown) set.delete(value);
  else set.add(value);
  change({ filters: true });
}

// Sets back the filters.
function leaveNothingOut() {
  choice.hiddenPeers.clear();
  choice.hiddenGroups.clear();
  for (const box of document.querySelectorAll(".filters input")) box.checked = true;
}

function buildControls() {
  const scopes = make("div", { class: "choices", role: "group", "aria-label": "Which events" },
    SCOPES.map((scope) => make("button", {
      type: "button", id: `scope-${scope.id}`, hidden: !scope.offered,
      onclick: () => change({ scope: scope.id, entry: null }),
    }, scope.name, scope.count === undefined ? null : make("small", {}, ` ${scope.count}`))));
  const show = (list) => {
    byId("list").hidden = !list;
    byId("diagram").hidden = list;
    byId("as-diagram").setAttribute("aria-pressed", String(!list));
    byId("as-list").setAttribute("aria-pressed", String(list));
    if (list) {
      turnToSelected();
      drawList();
      selectedRow()?.scrollIntoView({ block: "nearest" });
    } else {
      arrangeDiagram();
      reveal();
      render();
    }
  };
  const forms = make("div", { class: "choices", role: "group", "aria-label": "As what" },
    make("button", { type: "button", id: "as-diagram", "aria-pressed": "true", onclick: () => show(false) }, "Picture"),
    make("button", { type: "button", id: "as-list", "aria-pressed": "false", onclick: () => show(true) }, "List"));
  const names = make("datalist", { id: "entry-names" }, entries.map(({ name, words }) => make("option", { value: name }, words)));
  const find = make("input", { type: "text", id: "entry", list: "entry-names", size: 10, placeholder: entries[0]?.name ?? "none", onchange: (event) => {
    const entry = entries.findIndex(({ name }) => name === event.target.value.trim());
    change({ entry: entry < 0 ? null : entry });
  } });
  const filters = make("details", { class: "filters" }, make("summary", {}, "Filter"),
    make("fieldset", {}, make("legend", {}, "Peers"), peers.map(({ name }, peer) =>
      check(name, true, (event) => hide(choice.hiddenPeers, peer, event.target.checked)))),
    make("fieldset", {}, make("legend", {}, "Kinds"), GROUPS.map((group) =>
      check(group.name, true, (event) => hide(choice.hiddenGroups, group.id, event.target.checked)))));
  byId("controls").append(scopes, forms, make("label", { class: "way-of" }, "Way of entry ", find, names), filters, legend(),
    make("p", { id: "shown", role: "status" }));
}

function legend() {
  const key = (class_, text) => make("li", {}, make("i", { class: `dot ${class_}` }), ` ${text}`);
  const line = (class_, text) => make("li", {}, make("i", { class: `stroke ${class_}` }), ` ${text}`);
  return make("details", { class: "legend" }, make("summary", {}, "Legend"), make("ul", {},
    key("edit", "edit"), key("view", "merged and shown"), key("store", "durable"), key("die", "power lost"),
    key("start", "started"), key("lose", "frame lost"),
    line("of-entries", "frame with entries"), line("of-pull", "asks for entries"),
    line("of-frontier", "compares frontiers"), line("of-durable", "acknowledges"),
    line("of-snapshot", "snapshot"), line("of-refused", "refusal"), line("again", "arrives again"),
    line("down", "no power"), line("partition", "partition"), line("slow", "slow link"), line("clock", "clock off"), line("disk", "disk full"), line("write", "writing")));
}

function drawControls() {
  for (const scope of SCOPES) {
    const button = byId(`scope-${scope.id}`);
    const pressed = choice.entry === null && choice.scope === scope.id;
    button.setAttribute("aria-pressed", String(pressed));
    if (scope.id === "past") button.hidden = !pressed;
  }
  byId("entry").value = choice.entry === null ? "" : entries[choice.entry].name;
  const about = choice.entry === null ? "" : ` about ${entries[choice.entry].name}: ${entries[choice.entry].words}`;
  const from = choice.scope === "past" && choice.entry === null ? ` that led to: ${sentence(choice.origin)}` : "";
  byId("shown").textContent = `${plural(visible.length, "event")} of ${events.length}${about}${from}`;
}

const selectedRow = () => byId("list").querySelector("tr.selected");

// Brings the selected event before the eyes and under the keys, in whatever form it is shown.
function goToSelected() {
  const listed = !byId("list").hidden;
  if (listed) {
    turnToSelected();
    drawList();
  }
  const there = listed ? selectedRow()?.querySelector("button") : diagram.shown.get(choice.selected);
  there?.focus({ preventScroll: true });
  there?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

watch((changed) => {
  const others = ["scope", "entry", "filters"].some((name) => changed.has(name));
  if (others) {
    drawControls();
    if (!byId("diagram").hidden) arrangeDiagram();
  } else {
    relate();
    render();
  }
  reveal();
  render();
  drawList();
  drawDetails();
  drawGraphs();
  if (changed.has("selected") && choice.selected !== null) byId("announcement").textContent = sentence(choice.selected);
});

drawVerdict();
buildControls();
buildDiagram();
buildGraphs();
if (verdict.event !== undefined) choice.selected = verdict.event;
drawControls();
arrangeDiagram();
reveal();
render();
drawDetails();
drawGraphs();
