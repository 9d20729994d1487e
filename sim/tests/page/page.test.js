// The page that `cargo sim explain` writes, in a real browser. Run by .ci/explain-page, which says
// in PAGES where the explanations are.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { after, test } from "node:test";

import { launch, open, withContext } from "./browser.js";

const PAGES = process.env.PAGES;
const file = (name) => join(PAGES, `${name}.html`);
const FAILING = file("failing");
const SEED = file("seed");
const HOSTILE = file("hostile");
const STORY = file("partition");
const RECORDING = file("recording");
const BROKEN = file("broken");
const LARGE = file("large");
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const browser = await launch();
after(() => browser.close());

const WIDE = { viewport: { width: 1400, height: 900 } };
const NARROW = { viewport: { width: 360, height: 740 } };

// A test with an open page, at the end of which nothing must have gone wrong.
function onPage(claim, path, options, use) {
  test(claim, async () => {
    await withContext(browser, options, async (context) => {
      const { page, wrong } = await open(context, path);
      await use(page);
      assert.deepEqual(wrong, []);
    });
  });
}

const count = (page, selector) => page.locator(selector).count();
const selected = (page) => page.locator(".event[aria-current]").getAttribute("data-place").then(Number);
const inView = (page) => page.evaluate(() => {
  const outer = document.getElementById("diagram").getBoundingClientRect();
  const box = document.querySelector(".event[aria-current]").getBoundingClientRect();
  return box.top >= outer.top && box.bottom <= outer.bottom;
});

// Whether an element is seen whole, without scrolling and with nothing above it.
const isSeen = (page, selector) => page.evaluate((selector) => {
  const element = document.querySelector(selector);
  const { left, right, top, bottom } = element.getBoundingClientRect();
  const at = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
  return top >= 0 && bottom <= innerHeight && left >= 0 && right <= innerWidth && element.contains(at);
}, selector);

for (const path of [FAILING, SEED, HOSTILE, STORY, RECORDING, BROKEN, LARGE]) {
  test(`a page of at most 5 MB: ${path.slice(PAGES.length + 1)}`, async () => {
    const { size } = await stat(path);
    assert.ok(size <= 5_000_000, `${size} bytes`);
  });
  onPage(`opens without errors and without requests: ${path.slice(PAGES.length + 1)}`, path, WIDE, async (page) => {
    assert.ok(await count(page, ".event") > 3);
    assert.ok(await count(page, ".lines .way") > 1);
  });
}

onPage("of a recording the page shows one device, and no command that needs a plan", RECORDING, WIDE, async (page) => {
  const verdict = await page.locator("#verdict").innerText();
  assert.match(verdict, /cargo sim replay .*ada-1\.gsrec --verbose/);
  assert.doesNotMatch(verdict, /cargo sim shrink|Faults in the plan/);
  assert.deepEqual(await page.locator("#graphs-body select").first().locator("option").allInnerTexts(), ["this device"]);
});

onPage("the verdict says what failed, what was expected, and how to go on", FAILING, WIDE, async (page) => {
  const verdict = page.locator("#verdict");
  assert.match(await verdict.innerText(), /failed/);
  assert.match(await verdict.innerText(), /cargo sim replay .*--verbose/);
  assert.match(await verdict.innerText(), /cargo sim shrink /);
  assert.doesNotMatch(await verdict.innerText(), /[0-9a-f]{8}-[0-9a-f]{4}-/, "no raw id");
});

onPage("a failure opens with what led to it, and the rest is a click away", FAILING, WIDE, async (page) => {
  const shown = async () => Number((await page.locator("#shown").innerText()).split(" ")[0]);
  const slice = await shown();
  await page.getByRole("button", { name: "Go there" }).first().click();
  assert.equal(await count(page, ".event.fail"), 1);
  await page.getByRole("button", { name: /Every event/ }).click();
  assert.ok(await shown() > slice);
});

for (const [width, height] of [[1400, 900], [800, 600], [400, 800]]) {
  onPage(`a failure is seen when the page opens, and after Go there, at ${width} × ${height}`, FAILING, { viewport: { width, height } }, async (page) => {
    assert.ok(await isSeen(page, ".event.fail"), "when it opens");
    await page.getByText("The whole run in numbers").click();
    await page.waitForFunction(() => document.querySelector("#verdict details").open);
    assert.ok(await isSeen(page, ".event.fail"), "beside all numbers");
    await page.locator("#diagram").evaluate((diagram) => { diagram.scrollTop = 0; });
    await page.locator(".event").nth(3).click();
    await page.locator("#graphs").scrollIntoViewIfNeeded();
    await page.getByRole("button", { name: "Go there" }).first().click();
    assert.ok(await isSeen(page, ".event.fail"), "after Go there");
    assert.ok(await page.evaluate(() => document.activeElement.matches(".event.fail")), "keys go on from there");
  });
}

onPage("Go there leads to the failure in a low window, in the list, and past filters", FAILING, { viewport: { width: 900, height: 380 } }, async (page) => {
  const goThere = page.getByRole("button", { name: "Go there" }).first();
  await goThere.click();
  assert.ok(await isSeen(page, ".event.fail"));
  await page.getByRole("button", { name: "List", exact: true }).click();
  await goThere.click();
  assert.ok(await isSeen(page, "#list tr.row-fail button"));
  await page.getByRole("button", { name: "Picture", exact: true }).click();
  await page.getByText("Filter", { exact: true }).click();
  await page.getByRole("checkbox", { name: "Everything else" }).uncheck();
  assert.equal(await count(page, ".event.fail"), 0);
  await goThere.click();
  assert.ok(await isSeen(page, ".event.fail"));
  assert.ok(await page.getByRole("checkbox", { name: "Everything else" }).isChecked());
});

onPage("as many events are shown as the button says", FAILING, WIDE, async (page) => {
  const data = JSON.parse(await page.locator("#data").textContent());
  assert.ok(data.slice.some((place) => data.events[place].k === "heal"), "what is demanded after the heal follows from it");
  assert.equal(await page.locator("#scope-slice").innerText(), `Led to the failure ${data.slice.length}`);
  assert.equal(await page.locator("#shown").innerText(), `${data.slice.length} events of ${data.events.length}`);
});

onPage("the causes that the page follows are those of the simulator", FAILING, WIDE, async (page) => {
  const data = JSON.parse(await page.locator("#data").textContent());
  await page.getByRole("button", { name: "Go there" }).first().click();
  await page.getByRole("button", { name: "Show only what led here" }).click();
  const shown = Number((await page.locator("#shown").innerText()).split(" ")[0]);
  assert.equal(shown, data.slice.length);
});

onPage("keys lead through the events and to what they say", SEED, WIDE, async (page) => {
  await page.locator(".event").first().focus();
  await page.keyboard.press("ArrowDown");
  const first = await selected(page);
  for (let times = 0; times < 60; times += 1) await page.keyboard.press("ArrowDown");
  assert.ok(await selected(page) > first);
  assert.ok(await inView(page), "the picture follows");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("End");
  const last = await selected(page);
  await page.keyboard.press("Home");
  assert.ok(await selected(page) < last);
  const said = await page.locator("#announcement").textContent();
  assert.match(said, /^\d+\.\d{3} s, /);
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "details-title");
});

onPage("an event names its causes, and leads to them", SEED, WIDE, async (page) => {
  await page.locator(".event.arrive").first().click();
  const before = await selected(page);
  await page.locator("#details").getByRole("heading", { name: "Follows from" }).waitFor();
  await page.locator("#details h3:has-text('Follows from') + ul button").first().click();
  assert.ok(await selected(page) < before);
});

onPage("the slider moves the graphs through time", SEED, WIDE, async (page) => {
  await page.getByLabel("only what differs").uncheck();
  const slider = page.getByRole("slider", { name: "Moment" });
  await slider.focus();
  await page.keyboard.press("Home");
  const early = await page.locator("#states").innerText();
  const told = await page.locator("#moment-text").innerText();
  await page.keyboard.press("End");
  assert.notEqual(await page.locator("#states").innerText(), early);
  assert.notEqual(await page.locator("#moment-text").innerText(), told);
});

onPage("peers that differ are told apart in words, not by colour alone", SEED, WIDE, async (page) => {
  const slider = page.getByRole("slider", { name: "Moment" });
  const most = Number(await slider.getAttribute("max"));
  await slider.fill(String(Math.floor(most / 3)));
  assert.match(await page.locator("#states").innerText(), /\d+ of \d+ differ/);
  assert.ok(await count(page, "#states tr.differs .mark") > 0);
});

onPage("an entry's way through the peers can be followed", SEED, WIDE, async (page) => {
  const data = JSON.parse(await page.locator("#data").textContent());
  const edit = data.events.find((event) => event.k === "edit" && !event.s);
  const { name } = data.entries[edit.e[0]];
  await page.getByLabel("Way of entry").fill(name);
  await page.keyboard.press("Tab");
  const shown = await page.locator("#shown").innerText();
  assert.ok(shown.includes(name), shown);
  const peers = data.events.filter((event) => event.e?.includes(edit.e[0])).flatMap((event) => event.p);
  assert.ok(new Set(peers).size > 1);
});

onPage("an entry that there is not is said to be none", SEED, WIDE, async (page) => {
  const data = JSON.parse(await page.locator("#data").textContent());
  await page.getByLabel("Way of entry").fill("zzz");
  await page.keyboard.press("Tab");
  const said = await page.getByRole("alert").innerText();
  assert.equal(said, `no entry zzz; expected such as ${data.entries[0].name}`);
  assert.equal(await page.getByLabel("Way of entry").inputValue(), "zzz");
  await page.getByLabel("Way of entry").fill(data.entries[0].name);
  await page.keyboard.press("Tab");
  assert.equal(await page.getByRole("alert").textContent(), "");
});

onPage("labels of what did not lead to the selected event can be read", SEED, WIDE, async (page) => {
  await page.locator(".event.arrive").first().click();
  const faded = page.locator(".event.dim .label").first();
  const [opacity, colour] = await faded.evaluate((label) => [getComputedStyle(label.parentElement).opacity, getComputedStyle(label).color]);
  assert.equal(opacity, "1");
  assert.equal(colour, "rgb(86, 94, 108)");
});

onPage("a label reaches over lanes on which nothing stands", SEED, WIDE, async (page) => {
  await page.getByRole("button", { name: /Every event/ }).click();
  const widths = await page.locator(".event .label").evaluateAll((labels) => labels.map((label) => label.getBoundingClientRect().width));
  const lane = await page.evaluate(() => {
    const [one, other] = document.querySelectorAll(".lane-names span");
    return other.offsetLeft - one.offsetLeft;
  });
  assert.ok(Math.max(...widths) > lane, `${Math.max(...widths)} of ${lane}`);
});

onPage("each sign of the legend is seen", SEED, WIDE, async (page) => {
  await page.getByText("Legend", { exact: true }).click();
  const unseen = await page.locator(".legend li").evaluateAll((items) => items.filter(({ firstElementChild: sign }) => {
    const { backgroundColor, borderTopWidth, width } = getComputedStyle(sign);
    const drawn = backgroundColor !== "rgba(0, 0, 0, 0)" || borderTopWidth !== "0px" || sign.children.length > 0 || sign.textContent !== "";
    return !drawn || width === "0px";
  }).map((item) => item.innerText));
  assert.deepEqual(unseen, []);
});

onPage("a run that held says why not all show the same", BROKEN, WIDE, async (page) => {
  const verdict = await page.locator("#verdict").innerText();
  assert.match(verdict, /held/);
  assert.match(verdict, /Not all need to show the same in the end:/);
  assert.match(verdict, /without power since the heal/);
  const data = JSON.parse(await page.locator("#data").textContent());
  const words = data.spans.map(({ words }) => words);
  assert.ok(words.includes("stays cut off from everybody") && words.includes("stays without power"), words.join("; "));
});

onPage("a page that leaves something out says so and what", LARGE, WIDE, async (page) => {
  await page.getByText("Not all is on this page").click();
  assert.match(await page.locator(".left-out").innerText(), /what repeats other events/);
});

onPage("peers and kinds can be left out", SEED, WIDE, async (page) => {
  await page.getByText("Filter", { exact: true }).click();
  const before = await page.locator("#shown").innerText();
  await page.getByRole("checkbox", { name: "Frames" }).uncheck();
  assert.notEqual(await page.locator("#shown").innerText(), before);
  assert.equal(await count(page, ".event.arrive"), 0);
});

onPage("the list tells the same events", SEED, WIDE, async (page) => {
  await page.getByRole("button", { name: "List" }).click();
  assert.ok(await count(page, "#list tbody tr") > 50);
  await page.locator("#list tbody tr button").nth(3).click();
  assert.equal(await count(page, "#list tr.selected"), 1);
});

onPage("a frame that is lost or cut off is crossed out", STORY, WIDE, async (page) => {
  assert.ok(await count(page, ".cross") + await count(page, ".stop") > 0);
  assert.ok(await count(page, ".bar.partition") > 0);
});

onPage("a stranger's title and url stay text", HOSTILE, WIDE, async (page) => {
  await page.getByLabel("only what differs").uncheck();
  await page.locator(".event.edit").first().click();
  assert.equal(await page.evaluate(() => globalThis.broken), undefined);
  assert.equal(await count(page, "img, iframe, object, embed, b, body script[src]"), 0);
  assert.match(await page.locator("#panel").innerText(), /<img src=x/);
});

for (const [name, options] of Object.entries({
  wide: WIDE, narrow: NARROW, dark: { ...WIDE, colorScheme: "dark" },
})) {
  for (const path of [FAILING, STORY]) {
    onPage(`no accessibility rule is broken: ${name}, ${path.slice(PAGES.length + 1)}`, path, options, async (page) => {
      await page.getByText("Filter", { exact: true }).click();
      await page.getByText("Legend", { exact: true }).click();
      for (const form of ["Picture", "List"]) {
        await page.getByRole("button", { name: form, exact: true }).click();
        // The policy of the page allows no other script; the debugger's way is not bound by it.
        await page.evaluate(axe);
        const { violations } = await page.evaluate(() => globalThis.axe.run());
        assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.slice(0, 3).map(({ html }) => html)]), []);
      }
    });
  }
}

onPage("nothing sticks out at 360 pixels", FAILING, NARROW, async (page) => {
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(width <= 360, `${width} pixels`);
});
