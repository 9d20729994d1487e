// What the selected event says, where it comes from and what it leads to.

// Causes, effects and entries listed, at most.
const MOST_LISTED = 30;

function listed(heading, items) {
  if (items.length === 0) return [];
  const more = items.length > MOST_LISTED ? [make("li", {}, `and ${items.length - MOST_LISTED} more`)] : [];
  return [make("h3", {}, heading), make("ul", {}, items.slice(0, MOST_LISTED).map((item) => make("li", {}, item)), more)];
}

function entryLine(entry) {
  const { words, seen, clock_ms: clock, forked } = entries[entry];
  const facts = [
    typeof clock === "number" ? `its author's clock: ${clockText(clock)}` : null,
    seen.length > 0 ? `its author had seen ${vectorText(seen)}` : null,
    forked ? "two contents go by this name" : null,
  ].filter((text) => text !== null);
  return make("span", {}, entryLink(entry), ` ${words || (recorded ? "is not in the recording" : "was never durable anywhere")}`,
    facts.length > 0 ? make("small", {}, facts.join("; ")) : null);
}

function frameFacts(frame) {
  const arrived = frame.arrived.map((place) => eventLink(place, seconds(events[place].t)));
  const ends = [];
  if (frame.lost !== undefined) ends.push(eventLink(frame.lost, `lost at ${seconds(events[frame.lost].t)}`));
  arrived.forEach((link, copy) => ends.push(copy > 0 ? " and again at " : "arrived at ", link));
  if (ends.length === 0) ends.push(recorded ? "whether it arrived, this device never knew"
    : "never arrived: the peer was not there, or the run ended");
  if (frame.too_late) ends.push(", when nobody waited for it any more");
  return [
    fact("Frame", `${frame.what}, ${frame.bytes} bytes, number ${frame.nth} from ${peers[frame.from].name} to ${peers[frame.to].name}`),
    fact("Sent", eventLink(frame.sent, seconds(events[frame.sent].t))),
    fact("Became", make("span", {}, ends)),
    frame.told.length > 0 ? fact("Its sender has", vectorText(frame.told)) : null,
  ];
}

function viewItems(view) {
  const nodes = Object.entries(view.n ?? {}).map(([name, node]) =>
    node === null ? `${name} is gone` : `${name}: ${nodeText(node)}`);
  const edges = (view.g ?? []).map(([from, to, edge]) => `${from} → ${to}: ${edge ?? "gone"}`);
  const conflicts = Object.entries(view.c ?? {}).map(([name, conflict]) =>
    `conflict about ${name}: ${conflict ?? "settled"}`);
  return [...conflicts, ...nodes, ...edges];
}

function drawDetails() {
  const place = choice.selected;
  const body = byId("details-body");
  if (place === null) {
    byId("details-title").textContent = "Event";
    body.replaceChildren(make("p", {}, "Choose an event in the picture: it says what it did, what it follows from, and what it leads to."));
    return;
  }
  const event = events[place];
  const frame = frames[event.f];
  byId("details-title").textContent = event.k === "fail" ? `Failure: ${event.l}` : event.l;
  const [peer] = event.p;
  const offset = peer === undefined ? 0 : clockOffset(peer, event.t);
  const clock = offset === 0 ? "" : `, by its own clock ${seconds(event.t + offset)} (${signedMs(offset)})`;
  const before = recorded ? ", before the recording begins" : ", before the plan begins";
  const causes = (event.c ?? []).map(([cause, ...about]) => ({ cause, about }))
    .sort((a, b) => b.cause - a.cause);
  const told = event.x && !(event.k === "fail" && findings.rows.length > 0);
  const text = told && event.k !== "arrive" ? [make("p", { class: "told" }, event.x)] : [];
  const wrong = wrongSince.has(place) ? [make("p", { class: "since" }, "From here on this peer's graph is not what the model makes of the same entries.")] : [];
  body.replaceChildren(
    ...wrong,
    make("dl", { class: "facts" },
      fact("When", `${seconds(event.t)}${event.s ? before : ""}${clock}`),
      event.p.length > 0 ? fact("Where", peerNames(event.p)) : null,
      frame ? frameFacts(frame) : null),
    ...text,
    ...(event.k === "fail" && recorded ? [make("p", {}, make("small", {},
      "The picture shows what the engine does now, told what was recorded. Of outputs a recording holds kinds and hashes alone."))] : []),
    ...listed(`${plural(event.e?.length ?? 0, "entry").replace(/ys$/, "ies")}`, (event.e ?? []).map(entryLine)),
    ...(event.v === undefined ? [] : listed("What changed", viewItems(views[event.v]))),
    ...listed("Follows from", causes.map(({ cause }) => eventLink(cause))),
    ...listed("Leads to", effects[place].map(([effect]) => eventLink(effect))),
    make("p", { class: "actions" }, make("button", {
      type: "button",
      onclick: () => change({ scope: "past", origin: place, entry: null }),
    }, "Show only what led here")));
}
