// Takes a picture of a page: node shot.js FILE.html PICTURE.png [WIDTH] [HEIGHT] [light|dark]

import { launch, open, withContext } from "./browser.js";

const [file, picture, width = "1400", height = "1000", colorScheme = "light"] = process.argv.slice(2);
const viewport = { width: Number(width), height: Number(height) };
const browser = await launch();
await withContext(browser, { viewport, colorScheme }, async (context) => {
  const { page, wrong } = await open(context, file);
  await page.waitForTimeout(200);
  await page.screenshot({ path: picture });
  wrong.forEach((line) => console.error(line));
});
await browser.close();
