// Headless Chromium by the DevTools protocol over a pipe: no port is opened, and no package is needed.
"use strict";
const { spawn } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");

class Browser {
  #process;
  #profile;
  #next = 1;
  #waiting = new Map();
  #listeners = [];

  static async start(program) {
    const browser = new Browser();
    browser.#profile = fs.mkdtempSync(path.join(os.tmpdir(), "check-web."));
    // The sandbox of Chromium wants a user of its own, which a test machine's administrator is not.
    const flags = process.getuid() === 0 ? ["--no-sandbox"] : [];
    browser.#process = spawn(program, [
      "--headless=new", "--remote-debugging-pipe", `--user-data-dir=${browser.#profile}`, "--no-first-run",
      "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update",
      "--disable-default-apps", "--disable-sync", "--hide-scrollbars", "--force-color-profile=srgb",
      "--host-resolver-rules=MAP * ~NOTFOUND", ...flags, "about:blank",
    ], { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
    browser.#process.on("error", (error) => browser.#fail(error));
    browser.#process.on("exit", () => browser.#fail(new Error("Chromium has ended")));
    browser.#process.stdio[3].on("error", (error) => browser.#fail(error));
    let rest = Buffer.alloc(0);
    browser.#process.stdio[4].on("data", (data) => {
      rest = Buffer.concat([rest, data]);
      for (let end; (end = rest.indexOf(0)) >= 0; rest = rest.subarray(end + 1)) {
        browser.#receive(JSON.parse(rest.toString("utf8", 0, end)));
      }
    });
    await browser.send("Browser.getVersion");
    return browser;
  }

  /** Sends a command, to the browser or to one of its pages. */
  send(method, params = {}, sessionId = undefined) {
    const id = this.#next++;
    this.#process.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject, method }));
  }

  listen(listener) {
    this.#listeners.push(listener);
  }

  async close() {
    const ended = new Promise((resolve) => this.#process.once("exit", resolve));
    this.send("Browser.close").catch(() => {});
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), 10_000);
    await ended;
    clearTimeout(timer);
    fs.rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }

  #receive(message) {
    if (message.id === undefined) {
      for (const listener of this.#listeners) listener(message);
      return;
    }
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (message.error) waiting.reject(new Error(`${waiting.method}: ${message.error.message}`));
    else waiting.resolve(message.result);
  }

  #fail(error) {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

/** One tab, which writes down all that it asks of the network and all that it complains about. */
class Tab {
  requests = [];
  complaints = [];
  #browser;
  #session;

  static async open(browser, url, { width = 1180, height = 900, scheme = "light", phone = false } = {}) {
    const tab = new Tab();
    tab.#browser = browser;
    const { targetId } = await browser.send("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await browser.send("Target.attachToTarget", { targetId, flatten: true });
    Object.assign(tab, { targetId, width, height, phone });
    tab.#session = sessionId;
    browser.listen((event) => event.sessionId === sessionId && tab.#note(event));
    for (const domain of ["Page", "Runtime", "Log", "Network", "DOM", "Audits"]) await tab.send(`${domain}.enable`);
    await tab.send("Emulation.setDeviceMetricsOverride",
      { width, height, deviceScaleFactor: phone ? 2 : 1, mobile: phone });
    await tab.send("Emulation.setEmulatedMedia", { features: [
      { name: "prefers-color-scheme", value: scheme }, { name: "prefers-reduced-motion", value: "reduce" }] });
    await tab.send("Page.addScriptToEvaluateOnNewDocument", { source:
      "globalThis.violations = []; addEventListener('securitypolicyviolation', "
      + "(e) => violations.push(`${e.violatedDirective} ${e.blockedURI}`));" });
    await tab.send("Page.navigate", { url });
    await tab.until("document.body?.dataset.isLoaded === 'yes'");
    return tab;
  }

  send(method, params) {
    return this.#browser.send(method, params, this.#session);
  }

  /** A value of the page. */
  async evaluate(expression) {
    const { result, exceptionDetails } = await this.send("Runtime.evaluate",
      { expression, returnByValue: true, awaitPromise: true, allowUnsafeEvalBlockedByCSP: false });
    if (exceptionDetails) throw new Error(`${expression}: ${exceptionDetails.exception?.description}`);
    return result.value;
  }

  /** Waits until the page says so. */
  async until(expression, seconds = 60) {
    const end = Date.now() + seconds * 1000;
    while (!(await this.evaluate(expression))) {
      if (Date.now() > end) throw new Error(`after ${seconds} s it is not so: ${expression}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Chooses a file with the input of that name. */
  async choose(role, file) {
    const { root } = await this.send("DOM.getDocument");
    const { nodeId } = await this.send("DOM.querySelector", { nodeId: root.nodeId, selector: `#choose-${role}` });
    await this.send("DOM.setFileInputFiles", { nodeId, files: [file] });
  }

  /** Drops files on the page, as a hand does. */
  async drop(files) {
    const data = { items: [], files, dragOperationsMask: 1 };
    for (const type of ["dragEnter", "dragOver", "drop"]) {
      await this.send("Input.dispatchDragEvent", { type, x: 200, y: 200, data });
    }
  }

  /** The whole page as a PNG. */
  async screenshot(file) {
    const { cssContentSize } = await this.send("Page.getLayoutMetrics");
    const { data } = await this.send("Page.captureScreenshot", { captureBeyondViewport: true,
      clip: { x: 0, y: 0, width: this.width, height: Math.ceil(cssContentSize.height), scale: 1 } });
    fs.writeFileSync(file, Buffer.from(data, "base64"));
  }

  async close() {
    await this.#browser.send("Target.closeTarget", { targetId: this.targetId });
  }

  #note({ method, params }) {
    if (method === "Network.requestWillBeSent") this.requests.push(params.request.url);
    if (["Network.webSocketCreated", "Network.webTransportCreated"].includes(method)) this.requests.push(params.url);
    if (method === "Runtime.exceptionThrown") {
      this.complaints.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
    }
    if (method === "Runtime.consoleAPICalled" && ["error", "warning", "assert"].includes(params.type)) {
      this.complaints.push(params.args.map((argument) => argument.value ?? argument.description).join(" "));
    }
    if (method === "Log.entryAdded" && ["error", "warning"].includes(params.entry.level)) {
      this.complaints.push(params.entry.text);
    }
    if (method === "Audits.issueAdded") this.complaints.push(`issue: ${params.issue.code}`);
  }
}

module.exports = { Browser, Tab };
