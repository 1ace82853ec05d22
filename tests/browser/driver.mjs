// One Chromium for a whole test run. Reads a JSON object a line ({id, act, job}), runs acts/<act>.mjs with it, and answers
// with a line: {id, result} or {id, error}. Everything else goes to stderr.
import { createRequire } from "node:module";
import readline from "node:readline";

const [modules, executablePath] = process.argv.slice(2);
const require = createRequire(`${modules}/package.json`);
const { chromium } = require("playwright-core");

const browser = await chromium.launch({
  executablePath,
  args: ["--disable-gpu", "--disable-dev-shm-usage", "--force-color-profile=srgb", "--hide-scrollbars"],
});
const tools = { browser, axe: require("axe-core").source };

async function answer(line) {
  const { id, act, job } = JSON.parse(line);
  try {
    const { run } = await import(`./acts/${act}.mjs`);
    return { id, result: (await run(tools, job)) ?? null };
  } catch (error) {
    return { id, error: String(error?.stack ?? error) };
  }
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await answer(line))}\n`);
}
await browser.close();
