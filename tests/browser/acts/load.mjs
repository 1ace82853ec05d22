// Loads a page as a browser does that was never there; how many bytes came over the wire.
import { signedIn, watch } from "./watch.mjs";

export async function run(tools, job) {
  let bytes = 0;
  for (let turn = 0; turn < job.repeats; turn++) {
    const context = await signedIn(tools, job);
    try {
      const page = await context.newPage();
      const { seen, settle } = await watch(page, job.base);
      await page.goto(job.path);
      await settle();
      bytes = seen.bytes;
    } finally {
      await context.close();
    }
  }
  return { bytes };
}
