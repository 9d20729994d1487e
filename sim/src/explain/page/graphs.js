// The graph, conflicts and vector of a peer at the selected moment, beside another's.

// Nodes in a drawing; of a larger graph the differences are drawn.
const MOST_DRAWN = 18;
const RADIUS = 110;
// Of a node's name in a drawing.
const MOST_LETTERS = 12;

// Liars show nothing, and of a recording only one peer is known.
const withGraph = [...peers.keys()].filter((peer) => views.some((view) => view.p === peer));

const failing = verdict.peers.filter((peer) => withGraph.includes(peer));
const compared = { one: failing[0] ?? withGraph[0] ?? 0, other: null, onlyDifferences: true };
compared.other = failing[1] ?? withGraph.find((peer) => peer !== compared.one) ?? null;

const nodeText = ([url, title, x, y, pinned, ghost]) =>
  [title === "" ? "no title" : `“${title}”`, url === "" ? "no url" : url, `at (${x}, ${y})`, pinned ? "pinned" : "", ghost ? "a ghost" : ""]
    .filter((part) => part !== "").join(", ");

// The state of each peer after the event at `place`.
function stateAt(peer, place) {
  const state = { nodes: new Map(), edges: new Map(), conflicts: new Map(), vector: new Map() };
  for (const view of views) {
    if (view.e > place) break;
    if (view.p !== peer) continue;
    for (const [name, node] of Object.entries(view.n ?? {})) put(state.nodes, name, node);
    for (const [from, to, edge] of view.g ?? []) {
      put(state.edges, `${from} → ${to}`, edge === null ? null : { from, to, text: edge });
    }
    for (const [name, conflict] of Object.entries(view.c ?? {})) put(state.conflicts, name, conflict);
    if (view.a) state.vector = new Map(view.a);
  }
  return state;
}
function put(map, key, value) {
  if (value === null) map.delete(key);
  else map.set(key, value);
}

const moment = () => choice.selected ?? verdict.event ?? events.length - 1;

function buildGraphs() {
  const slider = make("input", { type: "range", id: "moment", min: 0, step: 1, "aria-label": "Moment", oninput: (event) => change({ selected: visible[event.target.value] }) });
  const pick = (id, label, value, none) => make("label", {}, `${label} `,
    make("select", { id, onchange: (event) => {
      compared[id] = event.target.value === "" ? null : Number(event.target.value);
      drawGraphs();
    } }, none ? make("option", { value: "" }, "nobody") : null,
      withGraph.map((peer) => make("option", { value: peer, selected: peer === value }, peers[peer].name))));
  const only = make("label", {}, make("input", { type: "checkbox", checked: true, onchange: (event) => {
    compared.onlyDifferences = event.target.checked;
    drawGraphs();
  } }), " only what differs");
  const picks = [pick("one", "Graph of", compared.one, false)];
  if (withGraph.length > 1) picks.push(pick("other", "beside", compared.other, true), only);
  byId("graphs-body").append(
    make("div", { class: "moment" }, slider, make("output", { id: "moment-text", for: "moment" })),
    make("div", { class: "picks" }, picks),
    make("div", { id: "states" }));
}

function drawGraphs() {
  const slider = byId("moment");
  slider.max = Math.max(0, visible.length - 1);
  const place = moment();
  slider.value = Math.max(0, visible.indexOf(place));
  slider.setAttribute("aria-valuetext", sentence(place));
  byId("moment-text").textContent = sentence(place);
  const chosen = [compared.one, compared.other].filter((peer) => peer !== null);
  const states = chosen.map((peer) => stateAt(peer, place));
  const names = chosen.map((peer) => peers[peer].name);
  const sections = [
    ["Conflicts", "conflicts", (value) => value],
    ["Nodes", "nodes", nodeText],
    ["Edges and visits", "edges", (edge) => edge.text],
    ["Version vector", "vector", String],
  ].map(([heading, part, text]) => compare(heading, names, states.map((state) => state[part]), text));
  byId("states").replaceChildren(drawing(names, states), ...sections);
}

const sameText = (values, text) => values.every((value) =>
  (value === undefined) === (values[0] === undefined) && (value === undefined || text(value) === text(values[0])));

// A table of one part of the states, side by side.
function compare(heading, names, maps, text) {
  const keys = [...new Set(maps.flatMap((map) => [...map.keys()]))].sort();
  const rows = keys.map((key) => ({ key, values: maps.map((map) => map.get(key)) }));
  const differing = rows.filter(({ values }) => !sameText(values, text));
  const shown = compared.onlyDifferences && maps.length > 1 ? differing : rows;
  const count = maps.length > 1 ? `${differing.length} of ${rows.length} differ` : String(rows.length);
  const head = make("h3", {}, `${heading} `, make("small", {}, rows.length === 0 ? (story.left_out === undefined ? "none" : "none on this page") : count));
  if (shown.length === 0) return make("div", {}, head);
  const body = shown.map(({ key, values }) => {
    const differs = !sameText(values, text);
    return make("tr", { class: differs ? "differs" : "" },
      make("th", { scope: "row" }, differs ? make("span", { class: "mark" }, "≠", make("span", { class: "unseen" }, " differs: ")) : null, key),
      values.map((value) => make("td", {}, value === undefined ? "—" : text(value))));
  });
  return make("div", {}, head, table(heading, ["What", ...names], body));
}

// The graphs as drawings, side by side; the same node stands at the same place in both.
function drawing(names, states) {
  const all = [...new Set(states.flatMap((state) => [...state.nodes.keys()]))].sort();
  const differs = (name) => !sameText(states.map((state) => state.nodes.get(name)), nodeText);
  const edgesOf = (state) => [...state.edges.values()];
  let drawn = all;
  if (all.length > MOST_DRAWN) {
    const wrong = all.filter(differs);
    const kin = states.flatMap(edgesOf).filter(({ from, to }) => wrong.includes(from) || wrong.includes(to));
    drawn = [...new Set([...wrong, ...kin.flatMap(({ from, to }) => [from, to])])].slice(0, MOST_DRAWN);
  }
  if (drawn.length === 0) return make("div", {});
  const most = Math.min(RADIUS, 16 + 12 * drawn.length);
  const radius = drawn.length === 1 ? 0 : most;
  // A letter is at most some 12 wide.
  const letters = Math.max(...drawn.map((name) => Math.min(name.length, MOST_LETTERS)));
  const [wide, high] = [most + 16 + 12 * letters, most + 30];
  const spot = (name) => {
    const angle = 2 * Math.PI * drawn.indexOf(name) / drawn.length - Math.PI / 2;
    return { x: radius * Math.cos(angle), y: radius * Math.sin(angle) };
  };
  const picture = (state, place) => {
    const lines = edgesOf(state).filter(({ from, to }) => drawn.includes(from) && drawn.includes(to)).map(({ from, to, text }) => {
      const [a, b] = [spot(from), spot(to)];
      return draw("line", { class: "edge", x1: a.x, y1: a.y, x2: b.x, y2: b.y }, draw("title", {}, `${from} → ${to}: ${text}`));
    });
    const dots = drawn.filter((name) => state.nodes.has(name)).map((name) => {
      const { x, y } = spot(name);
      const node = state.nodes.get(name);
      const class_ = `node${differs(name) ? " differs" : ""}${node[5] ? " ghost" : ""}`;
      const turn = x > 20 ? "start" : x < -20 ? "end" : "middle";
      const label = draw("text", { x: x + Math.sign(Math.round(x / 20)) * 9, y: y + (turn === "middle" ? (y <= 0 ? -10 : 18) : 4), "text-anchor": turn }, name.slice(0, MOST_LETTERS));
      return draw("g", { class: class_ }, draw("title", {}, `${name}: ${nodeText(node)}`), draw("circle", { cx: x, cy: y, r: 5 }), label);
    });
    const caption = `${names[place]}: ${plural(state.nodes.size, "node")}, ${plural(state.edges.size, "edge")}`;
    return make("figure", {},
      draw("svg", { viewBox: `${-wide} ${-high} ${2 * wide} ${2 * high}`, role: "img", "aria-label": `The graph of ${caption}` }, lines, dots),
      make("figcaption", {}, caption));
  };
  return make("div", { class: "pictures" }, states.map(picture));
}
