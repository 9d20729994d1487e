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
  const such = entries[0]?.name ?? "none";
  const find = make("input", { type: "text", id: "entry", list: "entry-names", size: 10, placeholder: such, "aria-describedby": "entry-wrong", onchange: (event) => {
    const asked = event.target.value.trim();
    const entry = entries.findIndex(({ name }) => name === asked);
    change({ entry: entry < 0 ? null : entry });
    if (entry >= 0 || asked === "") return;
    event.target.value = asked;
    event.target.setAttribute("aria-invalid", "true");
    byId("entry-wrong").textContent = entries.length === 0 ? `no entry ${asked}; there is none` : `no entry ${asked}; expected such as ${such}`;
  } });
  const wayTitle = "The name of an entry: only the events are shown at which it was made, travelled, was stored or shown";
  const filters = make("details", { class: "filters" }, make("summary", {}, "Filter"),
    make("fieldset", {}, make("legend", {}, "Peers"), peers.map(({ name }, peer) =>
      check(name, true, (event) => hide(choice.hiddenPeers, peer, event.target.checked)))),
    make("fieldset", {}, make("legend", {}, "Kinds"), GROUPS.map((group) =>
      check(group.name, true, (event) => hide(choice.hiddenGroups, group.id, event.target.checked)))));
  byId("controls").append(scopes, forms, make("label", { class: "way-of", title: wayTitle }, "Way of entry ", find, names),
    make("span", { id: "entry-wrong", role: "alert" }), filters, legend(),
    make("p", { id: "shown", role: "status" }), ...leftOut());
}

// What there was no room for, and where it is.
function leftOut() {
  if (story.left_out === undefined) return [];
  return [make("details", { class: "left-out" }, make("summary", {}, "Not all is on this page"),
    make("p", {}, "So that it is not too large, it leaves out:"),
    make("ul", {}, story.left_out.map((what) => make("li", {}, what))),
    make("p", {}, "With fewer peers or edits there is room for all. In a terminal, ", make("code", {}, "explain … --text --all"),
      " draws every event, and the replay command above tells them."))];
}

function legend() {
  const item = (sign, text) => make("li", {}, sign, ` ${text}`);
  const key = (class_, text) => item(make("i", { class: `dot ${class_}` }), text);
  const line = (class_, text) => item(make("i", { class: `stroke ${class_}` }), text);
  // A dashed way that ends in a cross, at a stop, or nowhere.
  const way = (end, text) => item(draw("svg", { class: "sign", viewBox: "0 0 26 14", width: 26, height: 14, "aria-hidden": "true" },
    draw("line", { class: "way dashed", x1: 0, y1: 7, x2: 19, y2: 7 }), end), text);
  const stop = draw("line", { class: "stop", x1: 20, x2: 20, y1: 1, y2: 13 });
  return make("details", { class: "legend" }, make("summary", {}, "Legend"), make("ul", {},
    key("edit", "edit"), key("send", "frame leaves"), key("arrive", "frame arrives"),
    key("view", "merged and shown"), key("conflict", "the same, with conflicts"), key("store", "durable"),
    key("die", "power lost"), key("start", "started"), key("fault", "fault of the plan"),
    key("note", "whatever else is told"), item(make("span", { class: "fails" }, "✗"), "failure, or first wrong"),
    line("of-entries", "frame with entries"), line("of-pull", "asks for entries"),
    line("of-frontier", "compares frontiers"), line("of-durable", "acknowledges"),
    line("of-snapshot", "snapshot"), line("of-refused", "refusal"), line("again", "arrives again"),
    way(draw("path", { class: "cross", d: "M15 2l10 10m0 -10l-10 10" }), "frame lost"),
    recorded ? way(null, "frame of unknown fate") : way(stop, "frame that nobody was there to get"),
    line("down", "no power"), line("opening", "opens its workspace"), line("partition", "cut off"), line("slow", "slow link"),
    line("clock", "clock wrong"), line("disk", "disk full"), line("write", "writing")),
  make("p", {}, make("small", {}, "An entry goes by its author and its number: ada#3 is the third of ada, ada/2#3 that of ada's second name. ",
    "ada#3 +111 stands for it and 111 more. To store a name that it authors under is how a device begins, and begins anew.")));
}

function drawControls() {
  for (const scope of SCOPES) {
    const button = byId(`scope-${scope.id}`);
    const pressed = choice.entry === null && choice.scope === scope.id;
    button.setAttribute("aria-pressed", String(pressed));
    if (scope.id === "past") button.hidden = !pressed;
  }
  byId("entry-wrong").textContent = "";
  byId("entry").removeAttribute("aria-invalid");
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
