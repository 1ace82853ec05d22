// A page that is watched: everything that a visitor's browser would complain of is written down.

export const PHONE_WIDTH = 390;

/** A context as a visitor has it: `job` tells base, theme ("light" or "dark"), width, scripts (false: no JavaScript). */
export async function open({ browser }, job, cookies = []) {
  const context = await browser.newContext({
    baseURL: job.base,
    colorScheme: job.theme ?? "light",
    viewport: { width: job.width ?? 1280, height: job.width === PHONE_WIDTH ? 844 : 900 },
    javaScriptEnabled: job.scripts ?? true,
    ignoreHTTPSErrors: true,
    reducedMotion: "reduce",
    acceptDownloads: true,
  });
  context.setDefaultTimeout(60_000);
  await context.addCookies(cookies);
  return context;
}

/** Ask for a page as a stranger, and sign in through the form that comes instead, as a person does. */
export async function signIn(page, { login, password }, path = "/account") {
  await page.goto(path);
  await page.fill("input[name=login]", login);
  await page.fill("input[name=password]", password);
  await Promise.all([page.waitForURL((url) => url.pathname === path), page.press("input[name=password]", "Enter")]);
}

/** The cookies of an account: each is signed in once by a form, since the sign-in is slow on purpose. */
const sessions = new Map();
export async function signedIn(tools, job) {
  if (!job.login) return open(tools, job);
  const key = `${job.base} ${job.login}`;
  if (job.fresh || !sessions.has(key)) {
    const context = await open(tools, { base: job.base });
    const page = await context.newPage();
    await signIn(page, job);
    sessions.set(key, await context.cookies());
    await context.close();
  }
  return open(tools, job, sessions.get(key));
}

/** Watch a page: `seen.problems` fills with {kind, text}; settle() returns when the page has asked for all it wants. */
export async function watch(page, base) {
  const host = new URL(base).host;
  const pending = new Set();
  const seen = { problems: [], requests: [], bytes: 0, expected: new Set(), status: 0, headers: {} };
  const note = (kind, text) => seen.problems.push({ kind, text: String(text).slice(0, 500) });

  page.on("console", (message) => {
    const noise = message.type() === "error" && seen.expected.has(message.location().url);
    if (["error", "warning", "assert"].includes(message.type()) && !noise) note("console", `${message.type()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => note("page error", error.stack ?? error));
  page.on("dialog", (dialog) => {
    note("dialog", dialog.message());
    dialog.dismiss();
  });
  page.on("request", (request) => {
    pending.add(request);
    seen.requests.push(request.url());
    const url = new URL(request.url());
    if (url.protocol !== "data:" && url.host !== host) note("foreign request", request.url());
  });
  page.on("requestfinished", (request) => pending.delete(request));
  page.on("requestfailed", (request) => {
    pending.delete(request);
    const why = request.failure()?.errorText;
    // What a page that is left had still asked for is no failure of it.
    if (why !== "net::ERR_ABORTED") note("failed request", `${request.url()}: ${why}`);
  });
  page.on("response", (response) => {
    if (response.status() >= 400 && !seen.expected.has(response.url())) note("failed request", `${response.url()}: ${response.status()}`);
  });
  await page.addInitScript(() => {
    window.dkmViolations = [];
    document.addEventListener("securitypolicyviolation", (event) =>
      window.dkmViolations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile ?? ""}:${event.lineNumber}`),
    );
  });
  const network = await page.context().newCDPSession(page);
  await network.send("Network.enable");
  network.on("Network.loadingFinished", (event) => (seen.bytes += event.encodedDataLength));

  async function settle() {
    const deadline = Date.now() + 60_000;
    for (let quiet = 0; quiet < 3; quiet = pending.size ? 0 : quiet + 1) {
      await page.waitForTimeout(50);
      if (Date.now() > deadline) {
        note("restless", `still asks after 20 s: ${[...pending].map((one) => one.url()).join(" ")}`);
        return;
      }
    }
    // Two frames, so that what came is drawn.
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  }
  return { seen, note, settle };
}
