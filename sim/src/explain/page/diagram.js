// The space-time diagram. Only what is near the visible part is in the document.

const GUTTER = 62;
const LEAST_LANE = 26;
// A lane narrower than this shows labels of the selected event and its kin only.
const LABELLED_LANE = 84;
const LABEL_HEIGHT = 18;
// Drawn above and below the visible part, in pixels.
const MARGIN = 300;
const SPANS = ["down", "opening", "disk", "partition", "slow", "clock", "write"];
const BAR_WIDTH = { down: 10, opening: 6, disk: 12, partition: 3, slow: 3, clock: 3, write: 3 };
// Of these several may last on one lane at a time.
const BESIDE = ["partition", "slow", "clock"];

const diagram = {
  scroller: null, head: null, canvas: null, lines: null, buttons: null,
  arranged: null, heights: new Map(), segments: [], bars: [], lanes: [], laneWidth: 0, related: null, shown: new Map(),
};

// Of a recording nearly all is said on one lane, which is as wide as two.
const isDouble = (peer) => recorded && peer === 0;
const laneRoom = (peer) => isDouble(peer) ? 2 * diagram.laneWidth : diagram.laneWidth;
const roomBefore = (lanes) => lanes.reduce((room, peer) => room + laneRoom(peer), 0);
const laneX = (peer) => GUTTER + 12 + roomBefore(diagram.lanes.slice(0, diagram.lanes.indexOf(peer)));
const lanesEnd = () => roomBefore(diagram.lanes);

function buildDiagram() {
  const keys = make("p", { id: "keys", class: "unseen" },
    "Arrow up and down go through the events, left and right to the next lane, C to the cause, ",
    "E to the effect, Home and End to the ends, Enter to what the event says.");
  diagram.head = make("div", { class: "lane-names", "aria-hidden": "true" });
  diagram.lines = draw("svg", { class: "lines", "aria-hidden": "true" });
  diagram.buttons = make("div", { class: "events", role: "group", "aria-label": "Events", "aria-describedby": "keys" });
  diagram.canvas = make("div", { class: "canvas" }, diagram.lines, diagram.buttons);
  diagram.scroller = byId("diagram");
  diagram.scroller.append(keys, diagram.head, diagram.canvas);
  let asked = false;
  diagram.scroller.addEventListener("scroll", () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; render(); });
  }, { passive: true });
  diagram.buttons.addEventListener("keydown", walk);
  let room = 0;
  new ResizeObserver(() => {
    // Whoever has the selected event before the eyes keeps it there.
    const y = diagram.arranged.y.get(choice.selected) - diagram.scroller.scrollTop;
    const seen = y >= 0 && y <= room;
    room = diagram.scroller.clientHeight;
    arrangeDiagram();
    if (!seen) return;
    reveal();
    render();
  }).observe(diagram.scroller);
}

// Works out where everything is, after another choice or another width.
function arrangeDiagram() {
  // What led to one event is a story of some peers; the others' lanes would stay empty.
  const few = choice.entry === null && ["slice", "past"].includes(choice.scope);
  const busy = new Set(visible.flatMap((place) => events[place].p));
  diagram.lanes = [...peers.keys()].filter((peer) => !choice.hiddenPeers.has(peer) && (!few || busy.has(peer)));
  const room = diagram.scroller.clientWidth - GUTTER - 8;
  diagram.laneWidth = Math.max(LEAST_LANE, Math.min(460, room / Math.max(1, diagram.lanes.length + diagram.lanes.filter(isDouble).length)));
  diagram.arranged = arrange(visible);
  diagram.heights = standing();
  const width = GUTTER + 8 + lanesEnd();
  const size = { width: `${width}px`, height: `${diagram.arranged.height}px` };
  Object.assign(diagram.canvas.style, size);
  fill(diagram.lines, { width, height: diagram.arranged.height }, []);
  diagram.head.style.width = `${width}px`;
  diagram.head.replaceChildren(...diagram.lanes.map(laneHead));
  diagram.segments = frames.map(segment).filter((line) => line !== null);
  diagram.bars = lasting();
  diagram.shown.clear();
  diagram.buttons.replaceChildren();
  relate();
  render();
}

function laneHead(peer) {
  const off = clockOffset(peer, 0) === 0 ? "" : ` ${signedMs(clockOffset(peer, 0))}`;
  const told = off !== "" && laneRoom(peer) >= LABELLED_LANE;
  return make("span", {
    style: { left: `${laneX(peer) - 8}px`, maxWidth: `${laneRoom(peer) - 6}px` },
    title: off === "" ? peers[peer].name : `${peers[peer].name}, its clock at first${off}`,
  }, peers[peer].name, told ? make("small", {}, off) : null);
}

// A frame's way: from where it was sent to where it arrived, got lost, or found nobody.
function segment(frame) {
  const { y } = diagram.arranged;
  if (!diagram.lanes.includes(frame.from) || !diagram.lanes.includes(frame.to)) return null;
  const from = y.get(frame.sent);
  const ends = [...frame.arrived, frame.lost].map((place) => y.get(place)).filter((at) => at !== undefined);
  if (from === undefined && ends.length === 0) return null;
  const x1 = laneX(frame.from);
  const x2 = laneX(frame.to);
  const start = from ?? Math.max(0, Math.min(...ends) - 14);
  const ways = frame.arrived.map((place, copy) => ({ y2: y.get(place), copy })).filter((way) => way.y2 !== undefined);
  const lost = y.get(frame.lost);
  const gone = frame.arrived.length === 0 && frame.lost === undefined;
  if (ways.length === 0 && lost === undefined && from === undefined) return null;
  return { frame, x1, x2, y1: start, ways, lost, gone, low: start, high: Math.max(start + 24, ...ends) };
}

// Bars of what lasts, each on its lane and beside the others there.
function lasting() {
  const bars = [];
  const taken = new Map();
  const stored = new Set(visible.filter((place) => events[place].k === "store").map((place) => `${events[place].p} ${events[place].t}`));
  for (const span of spans) {
    if (!SPANS.includes(span.kind)) continue;
    // Of writes those that are seen to end.
    if (span.kind === "write" && !stored.has(`${span.peers} ${span.to_ms}`)) continue;
    const y1 = yAt(diagram.arranged, span.from_ms);
    const y2 = Math.max(y1 + 4, yAt(diagram.arranged, span.to_ms, true));
    for (const peer of span.peers) {
      if (!diagram.lanes.includes(peer)) continue;
      let slot = 0;
      if (BESIDE.includes(span.kind)) {
        const ends = taken.get(peer) ?? [];
        while ((ends[slot] ?? -1) > y1) slot += 1;
        ends[slot] = y2;
        taken.set(peer, ends);
      }
      bars.push({ span, peer, y1, y2, slot });
    }
  }
  return bars;
}

// What leads to the selected event stands out.
function relate() {
  const place = choice.selected;
  const unexplained = place === verdict.event && story.slice.length === 0;
  diagram.related = place === null || unexplained ? null : past(place, bearing(place));
}

function render() {
  const { scroller, arranged } = diagram;
  const low = scroller.scrollTop - MARGIN;
  const high = scroller.scrollTop + scroller.clientHeight + MARGIN;
  const within = (y) => y >= low && y <= high;
  drawLines(low, high);
  const wanted = new Set(visible.filter((place) => within(arranged.y.get(place))));
  const focused = document.activeElement?.dataset?.place;
  if (focused !== undefined && arranged.y.has(Number(focused))) wanted.add(Number(focused));
  for (const [place, button] of diagram.shown) {
    if (!wanted.has(place)) {
      button.remove();
      diagram.shown.delete(place);
    }
  }
  const entrance = choice.selected !== null && arranged.y.has(choice.selected) ? choice.selected : visible[0];
  // In the order of the story, so that reading and tabbing follow it.
  let before = null;
  for (const place of [...wanted].sort((a, b) => a - b)) {
    const button = diagram.shown.get(place) ?? eventButton(place);
    diagram.shown.set(place, button);
    const next = before === null ? diagram.buttons.firstChild : before.nextSibling;
    if (next !== button) diagram.buttons.insertBefore(button, next);
    before = button;
    button.tabIndex = place === entrance ? 0 : -1;
    if (place === choice.selected) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
    const kin = diagram.related?.has(place);
    const apart = diagram.related !== null && !kin && events[place].p.length > 0;
    button.classList.toggle("dim", apart);
    button.classList.toggle("kin", kin === true && place !== choice.selected);
  }
}

function eventButton(place) {
  const event = events[place];
  const wide = isWide(event);
  const lane = event.p.find((peer) => diagram.lanes.includes(peer));
  const frame = frames[event.f];
  let x = wide ? GUTTER + 30 : laneX(lane);
  if (event.k === "lose") x = beforeLane(laneX(frame.from), laneX(frame.to));
  const room = wide ? lanesEnd() - 40 : laneRoom(lane) - 16 + (event.k === "lose" ? 0 : freeRoom(lane, diagram.arranged.y.get(place)));
  const labelled = hasLabel(event) && (wide || laneRoom(lane) >= LABELLED_LANE);
  const tint = frame ? ` of-${frame.kind}` : "";
  const label = labelled ? make("span", { class: "label", style: { maxWidth: `${room}px` } }, shortLabel(place)) : null;
  return make("button", {
    type: "button",
    class: `event ${event.k}${tint}${views[event.v]?.c ? " conflict" : ""}${wide ? " wide" : ""}${wrongSince.has(place) ? " first-wrong" : ""}${SLICE.has(place) ? " in-slice" : ""}`,
    "data-place": place,
    // What is read aloud holds what is seen.
    "aria-label": labelled ? `${shortLabel(place)}: ${sentence(place)}` : sentence(place),
    title: sentence(place),
    style: { left: `${x - 9}px`, top: `${diagram.arranged.y.get(place) - 9}px` },
    onclick: () => change({ selected: place }),
  }, make("i", { class: "dot" }), label);
}

// Pixels to the right of a lane on which nothing stands at this height.
function freeRoom(lane, y) {
  let room = 0;
  for (const other of diagram.lanes.slice(diagram.lanes.indexOf(lane) + 1)) {
    if (isTaken(diagram.heights.get(other) ?? [], y)) break;
    room += laneRoom(other);
  }
  return room;
}

// Whether one of these heights, which rise, is as good as `y`.
function isTaken(heights, y) {
  let low = 0;
  let high = heights.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (heights[middle] < y - LABEL_HEIGHT) low = middle + 1;
    else high = middle;
  }
  return heights[low] < y + LABEL_HEIGHT;
}

// Where events stand, by lane.
function standing() {
  const heights = new Map();
  for (const place of visible) {
    const event = events[place];
    const y = diagram.arranged.y.get(place);
    // A cross stands between lanes, and its label may reach into either.
    const lanes = event.k === "lose" ? [frames[event.f].from, frames[event.f].to] : isWide(event) ? diagram.lanes : event.p;
    for (const lane of lanes) {
      if (!heights.has(lane)) heights.set(lane, []);
      heights.get(lane).push(y);
    }
  }
  for (const all of heights.values()) all.sort((a, b) => a - b);
  return heights;
}

const beforeLane = (x1, x2) => x1 + (x2 - x1) * 0.72;

function shortLabel(place) {
  const event = events[place];
  const named = event.e?.length > 0 ? `${entries[event.e[0]].name}${event.e.length > 1 ? ` +${event.e.length - 1}` : ""}` : "";
  switch (event.k) {
    case "arrive":
      return `${named === "" ? event.l : named}${event.m ? ", again" : ""}${frames[event.f].too_late ? ", too late" : ""}`;
    case "lose": return named === "" ? "lost" : `${named} lost`;
    case "fail": return `✗ ${event.l}`;
    default: return wrongSince.has(place) ? `✗ first wrong: ${event.l}` : event.l;
  }
}

function drawLines(low, high) {
  const parts = [];
  for (const peer of diagram.lanes) {
    parts.push(draw("line", { class: "lane", x1: laneX(peer), x2: laneX(peer), y1: Math.max(0, low), y2: Math.min(high, diagram.arranged.height) }));
  }
  for (const { y, ms } of diagram.arranged.pauses) {
    if (y < low || y > high) continue;
    parts.push(draw("text", { class: "pause", x: 4, y: y + 4 }, `⋮ ${ms >= 60000 ? `${(ms / 60000).toFixed(1)} min` : `${(ms / 1000).toFixed(1)} s`}`));
  }
  let written = -Infinity;
  for (const moment of diagram.arranged.moments) {
    if (moment.first < low || moment.first > high || moment.first < written + 14) continue;
    written = moment.first;
    parts.push(draw("text", { class: "time", x: GUTTER - 8, y: moment.first + 4 }, (moment.t / 1000).toFixed(3)));
  }
  for (const { span, peer, y1, y2, slot } of diagram.bars) {
    if (y2 < low || y1 > high) continue;
    const width = BAR_WIDTH[span.kind];
    const x = laneX(peer) - (BESIDE.includes(span.kind) ? 9 + 4 * slot : width / 2);
    parts.push(draw("rect", { class: `bar ${span.kind}`, x, y: y1, width, height: y2 - y1 },
      draw("title", {}, `${peers[peer].name}: ${span.words}, ${seconds(span.from_ms)} to ${seconds(span.to_ms)}`)));
  }
  for (const line of diagram.segments) {
    if (line.high >= low && line.low <= high) parts.push(...frameLines(line));
  }
  for (const place of visible) {
    const y = diagram.arranged.y.get(place);
    if (y < low || y > high || !isWide(events[place])) continue;
    const class_ = `across ${events[place].k}`;
    parts.push(draw("line", { class: class_, x1: GUTTER, x2: GUTTER + lanesEnd(), y1: y, y2: y }));
    const marked = events[place].p.filter((peer) => diagram.lanes.includes(peer));
    parts.push(...marked.map((peer) => events[place].k === "fail"
      ? draw("path", { class: "cross wide", d: `M${laneX(peer) - 7} ${y - 7}l14 14m0 -14l-14 14` })
      : draw("circle", { class: "cut", cx: laneX(peer), cy: y, r: 3.5 })));
  }
  diagram.lines.replaceChildren(...parts);
}

function frameLines({ frame, x1, x2, y1, ways, lost, gone }) {
  const kin = diagram.related?.has(frame.sent) && [...frame.arrived, frame.lost].some((place) => diagram.related.has(place));
  const state = diagram.related === null ? "" : kin ? " kin" : " dim";
  const end = frame.lost ?? frame.arrived[0] ?? frame.sent;
  const told = `${frame.what}, ${peers[frame.from].name} to ${peers[frame.to].name}`;
  const parts = [];
  const way = (toX, toY, kind, title) => {
    const points = { x1, y1, x2: toX, y2: toY };
    parts.push(draw("g", { class: `frame of-${frame.kind}${kind}${state}`, onclick: () => change({ selected: end }) },
      draw("title", {}, title), draw("line", { class: "reach", ...points }), draw("line", { class: "way", ...points })));
  };
  for (const { y2, copy } of ways) {
    way(x2, y2, copy > 0 ? " again" : "", copy > 0 ? `${told}, again` : told);
    parts.push(head(x1, y1, x2, y2, `of-${frame.kind}${state}`));
  }
  if (lost !== undefined) {
    const x = beforeLane(x1, x2);
    way(x, lost, " lost", `${told}, lost`);
    parts.push(cross(x, lost, state));
  } else if (gone && recorded) {
    way(x2 - 8 * Math.sign(x2 - x1), y1 + 14, " gone", `${told}; whether it arrived, this device never knew`);
  } else if (gone) {
    const x = beforeLane(x1, x2);
    way(x, y1 + 22, " gone", `${told}; nobody was there to get it`);
    parts.push(draw("line", { class: `stop${state}`, x1: x, x2: x, y1: y1 + 16, y2: y1 + 28 }));
  }
  return parts;
}

function head(x1, y1, x2, y2, class_) {
  const angle = Math.atan2(y2 - y1, x2 - x1);
  const tip = [x2 - 5 * Math.cos(angle), y2 - 5 * Math.sin(angle)];
  const side = (turn) => [tip[0] - 8 * Math.cos(angle + turn), tip[1] - 8 * Math.sin(angle + turn)];
  const points = [tip, side(0.42), side(-0.42)].map((point) => point.map((n) => n.toFixed(1)).join(",")).join(" ");
  return draw("polygon", { class: `head ${class_}`, points });
}

function cross(x, y, state) {
  return draw("path", { class: `cross${state}`, d: `M${x - 6} ${y - 6}l12 12m0 -12l-12 12` });
}

// Goes from event to event by keys.
function walk(event) {
  const at = visible.indexOf(choice.selected ?? Number(event.target.dataset?.place ?? visible[0]));
  const place = visible[at];
  const to = {
    ArrowDown: () => visible[at + 1],
    ArrowUp: () => visible[at - 1],
    ArrowRight: () => nextLane(place, 1),
    ArrowLeft: () => nextLane(place, -1),
    Home: () => visible[0],
    End: () => visible.at(-1),
    c: () => (events[place]?.c ?? []).map(([cause]) => cause).filter((cause) => visible.includes(cause)).at(-1),
    e: () => effects[place]?.map(([effect]) => effect).find((effect) => visible.includes(effect)),
  }[event.key];
  if (event.key === "Enter" && choice.selected !== null) {
    event.preventDefault();
    byId("details-title").focus();
    return;
  }
  if (!to || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  const next = to();
  if (next === undefined) return;
  change({ selected: next });
  diagram.shown.get(next)?.focus({ preventScroll: true });
}

// The event next to this one in height, so many lanes to the right.
function nextLane(place, by) {
  const lanes = diagram.lanes;
  const y = diagram.arranged.y.get(place) ?? 0;
  const from = lanes.indexOf(events[place]?.p[0] ?? lanes[0]);
  for (let lane = from + by; lane >= 0 && lane < lanes.length; lane += by) {
    const there = visible.filter((other) => events[other].p[0] === lanes[lane]);
    const distance = (other) => Math.abs(diagram.arranged.y.get(other) - y);
    if (there.length > 0) return there.reduce((best, other) => distance(other) < distance(best) ? other : best);
  }
  return undefined;
}

// Brings the selected event into the visible part.
function reveal() {
  const y = diagram.arranged.y.get(choice.selected);
  if (y === undefined) return;
  const { scroller } = diagram;
  const top = scroller.scrollTop + 40;
  const bottom = scroller.scrollTop + scroller.clientHeight - 40;
  if (y < top || y > bottom) scroller.scrollTop = y - scroller.clientHeight / 2;
  const [lane] = events[choice.selected].p;
  const x = lane === undefined ? 0 : laneX(lane);
  if (x < scroller.scrollLeft + GUTTER || x > scroller.scrollLeft + scroller.clientWidth - 40) {
    scroller.scrollLeft = x - scroller.clientWidth / 2;
  }
}
