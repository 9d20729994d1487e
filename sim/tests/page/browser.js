// A headless browser that is allowed nothing but the file that it opens.

import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

// A machine that is busy otherwise may take this long for one step.
const PATIENCE_MS = 120_000;

// A browser with a fresh profile of its own, until it is closed.
export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", headless: true, args: FLAGS,
  });
}

// Calls `use` with a context that no other shares.
export async function withContext(browser, options, use) {
  const context = await browser.newContext({ offline: true, ...options });
  context.setDefaultTimeout(PATIENCE_MS);
  try {
    return await use(context);
  } finally {
    await context.close();
  }
}

// Opens the file and keeps what went wrong: errors, warnings, and requests beside the file.
export async function open(context, file) {
  const page = await context.newPage();
  const wrong = [];
  const url = pathToFileURL(file).href;
  page.on("pageerror", (error) => wrong.push(`error: ${error.stack}`));
  page.on("console", (message) => wrong.push(`console: ${message.text()}`));
  page.on("request", (request) => {
    if (request.url() !== url) wrong.push(`request: ${request.url()}`);
  });
  page.on("dialog", (dialog) => {
    wrong.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  await page.goto(url);
  return { page, wrong };
}
