// The page, opened from a file in headless Chromium: what it says of good and of bad files, and that it asks nobody.
//   node Tests/Web/page.js CHROMIUM VERIFY.html SCREENSHOTS
"use strict";
const crypto = require("node:crypto");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { pathToFileURL } = require("node:url");
const { Browser, Tab } = require("./browser.js");

const [program, page, screens] = process.argv.slice(2);
const url = pathToFileURL(path.resolve(page)).href;
const vectors = path.join(__dirname, "..", "Vectors");
const work = fs.mkdtempSync(path.join(os.tmpdir(), "check-web-files."));
process.on("exit", () => fs.rmSync(work, { recursive: true, force: true }));
fs.mkdirSync(screens, { recursive: true });

const stored = (name) => path.join(vectors, name);
/** A file of our own, as a user has it: with a name that says something. */
function made(name, content) {
  fs.writeFileSync(path.join(work, name), content);
  return path.join(work, name);
}
const copy = (name, from) => made(name, fs.readFileSync(from));
const artifactOf = (digest) => fs.readFileSync(stored(`artifacts/${digest}`));

/** A file that Tests/Vectors/cases.tsv names, by the case. */
const cases = new Map(fs.readFileSync(stored("cases.tsv"), "utf8").split("\n")
  .map((line) => line.split("\t")).map(([name, policy, proof, digest]) => [name, { policy, proof, digest }]));

const good = cases.get("one-diverged");
const policy = copy("four.policy", stored(good.policy));
const proof = copy("itoa.tlog-proof", stored(good.proof));
const artifact = made("libitoa.rlib", artifactOf(good.digest));
const flipped = artifactOf(good.digest);
flipped[7] ^= 0x20;

/** Files, what the verdict is to say, and what must stand somewhere in the result. */
const verdicts = [
  { name: "accepted", files: [policy, proof, artifact], state: "accepted",
    wants: ["Verified", "3 builders", "itoa 1.0.1", good.digest, "other bytes", "2026", "UTC", "Linux 6.1.0"] },
  { name: "other-order", files: [artifact, proof, policy], state: "accepted", wants: ["Verified"] },
  { name: "absent-builder", files: [policy, stored(cases.get("absent-no-reveal").proof), artifact], state: "accepted",
    wants: ["it committed and did not reveal"] },
  { name: "unknown-builder", state: "accepted", files: [stored(cases.get("unknown-builder-line").policy),
    stored(cases.get("unknown-builder-line").proof), artifact], wants: ["not in your policy"] },
  { name: "flipped-byte", files: [policy, proof, made("libitoa-changed.rlib", flipped)], state: "refused",
    wants: ["Not verified", "not the file that was rebuilt", "Status 10", "ARTIFACT_MISMATCH",
      crypto.createHash("sha256").update(flipped).digest("hex"), good.digest] },
  { name: "other-policy", files: [path.join(__dirname, "../CABI/samples/itoa.policy"), proof, artifact],
    state: "refused", wants: ["The proof does not hold", "Status 6,", "UNTRUSTED_LOG"] },
  { name: "truncated-proof", files: [policy, made("cut.tlog-proof", fs.readFileSync(proof).subarray(0, 900)), artifact],
    state: "refused", wants: ["The proof cannot be read", "Status 1,", "MALFORMED"] },
  { name: "large-proof", state: "refused", files: [policy, artifact,
    made("large.tlog-proof", Buffer.concat([fs.readFileSync(proof), Buffer.alloc(2 * 1024 * 1024, "\n")]))],
  wants: ["2,100,", "at most 1,048,576", "It was not read", "Status 2,"] },
  { name: "broken-policy", files: [made("broken.policy", "log nonsense\n"), proof, artifact], state: "refused",
    wants: ["The policy cannot be read", "Not verified"] },
];

let checks = 0;
let failures = 0;
function expect(what, holds, detail = "") {
  checks += 1;
  if (holds) return;
  failures += 1;
  console.error(`page: ${what}${detail === "" ? "" : `: ${detail}`}`);
}

const settled = "['accepted', 'refused'].includes(document.body.dataset.state)";
const shown = "document.querySelector('#result').textContent.replaceAll(/\\s+/g, ' ')";

/** The policy forbids it, but does the page even try? Nothing but itself may have been asked for. */
async function expectQuiet(tab, name) {
  expect(`${name}: requests`, tab.requests.every((request) => request === url), tab.requests.join(" "));
  expect(`${name}: the page itself was requested`, tab.requests.length >= 1);
  expect(`${name}: complaints`, tab.complaints.length === 0, tab.complaints.join(" | "));
  const violations = await tab.evaluate("violations");
  expect(`${name}: violations`, violations.length === 0, violations.join(" | "));
  const kept = await tab.evaluate(`(async () => {
    const databases = await indexedDB.databases().catch(() => []);
    return localStorage.length + sessionStorage.length + databases.length + document.cookie.length;
  })()`).catch((error) => error.message);
  expect(`${name}: kept something`, kept === 0, kept);
}

/** Every text's colour against what is behind it, as WCAG 2 has it. */
const contrast = `(() => {
  const parse = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = (c) => c.slice(0, 3).map((v) => v / 255)
    .map((v) => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const color = parse(getComputedStyle(node).backgroundColor);
      if (color.length < 4 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  let worst = [21, ""];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (walker.currentNode.data.trim() === "" || element.closest("script, noscript")) continue;
    if (!element.checkVisibility()) continue;
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(behind(element))].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05);
    if (ratio < worst[0]) worst = [ratio, walker.currentNode.data.trim().slice(0, 40)];
  }
  return worst;
})()`;

async function expectReadable(tab, name) {
  const [ratio, text] = await tab.evaluate(contrast);
  expect(`${name}: contrast of "${text}"`, ratio >= 4.5, ratio.toFixed(2));
  const overflow = await tab.evaluate("document.documentElement.scrollWidth - innerWidth");
  expect(`${name}: wider than the screen`, overflow <= 0, overflow);
}

async function verdict(browser, { name, files, state, wants }) {
  const tab = await Tab.open(browser, url);
  await tab.drop(files);
  await tab.until(settled);
  const text = await tab.evaluate(shown);
  if (state !== null) expect(`${name}: verdict`, (await tab.evaluate("document.body.dataset.state")) === state, text);
  for (const wanted of wants) expect(`${name}: no "${wanted}"`, text.includes(wanted), text);
  const isAccepted = (await tab.evaluate("document.body.dataset.state")) === "accepted";
  expect(`${name}: says both`, isAccepted !== text.includes("Not verified"), text);
  await expectReadable(tab, name);
  await tab.screenshot(path.join(screens, `${name}.png`));
  await expectQuiet(tab, name);
  await tab.close();
}

/** Files one by one through the inputs, changed and taken away again. */
async function choices(browser) {
  const tab = await Tab.open(browser, url);
  const state = () => tab.evaluate("document.body.dataset.state");
  await tab.choose("artifact", artifact);
  await tab.until(`${shown}.includes('Still missing: the policy and the proof')`);
  expect("choices: a verdict too early", (await state()) === "idle");
  // What is chosen as the policy is the policy, and nothing else.
  await tab.choose("policy", proof);
  await tab.until(`${shown}.includes('The policy cannot be read')`);
  await tab.choose("policy", policy);
  await tab.until(`${shown}.includes('Still missing: the proof.')`);
  await tab.choose("proof", proof);
  await tab.until(settled);
  expect("choices: verdict", (await state()) === "accepted");
  await tab.choose("artifact", path.join(work, "libitoa-changed.rlib"));
  await tab.until("document.body.dataset.state === 'refused'");
  await tab.choose("artifact", artifact);
  await tab.until("document.body.dataset.state === 'accepted'");
  await tab.evaluate("document.querySelector('[aria-label=\"Remove the proof\"]').click()");
  await tab.until(`${shown}.includes('Still missing: the proof.')`);
  const left = await tab.evaluate("document.querySelector('#particulars').childElementCount");
  expect("choices: particulars stay", left === 0);
  expect("choices: focus", (await tab.evaluate("document.activeElement.id")) === "choose-proof");
  await tab.drop([work]);
  await tab.until(`${shown}.includes('could not be read')`);
  await expectQuiet(tab, "choices");
  await tab.close();
}

const digestOf = (file) => crypto.createHash("sha256").update(fs.readFileSync(file)).digest("hex");
const notice = "document.querySelector('#notice').textContent";
const slot = (role) => `(document.querySelector('#given-${role} .name')?.textContent ?? null)`;

/** A policy that comes along with a proof replaces nobody's own. */
async function forgedPolicies(browser) {
  const one = cases.get("policy-one");
  const forged = copy("forged.policy", stored(one.policy));
  const itsProof = stored(one.proof);
  const strict = path.join(__dirname, "../CABI/samples/itoa.policy");
  for (const [own, state] of [[policy, "accepted"], [strict, "refused"]]) {
    for (const [way, give] of [["proof", (tab) => tab.choose("proof", forged)], ["drop", (tab) => tab.drop([forged])],
      ["drop of all", (tab) => tab.drop([forged, itsProof, artifact])]]) {
      const name = `forged policy, ${state}, ${way}`;
      const tab = await Tab.open(browser, url);
      await tab.choose("policy", own);
      await tab.drop([itsProof, artifact]);
      await tab.until(settled);
      await give(tab);
      await tab.until(`${notice} === 'forged.policy looks like a policy; it is not used, and ${path.basename(own)} '
        + 'stays. To change that, choose it under Policy.'`);
      await tab.until(settled);
      const text = await tab.evaluate(shown);
      expect(`${name}: verdict`, (await tab.evaluate("document.body.dataset.state")) === state, text);
      expect(`${name}: slot`, (await tab.evaluate(slot("policy"))) === path.basename(own));
      if (state === "accepted") expect(`${name}: digest`, text.includes(digestOf(own)), text);
      expect(`${name}: forged digest`, !text.includes(digestOf(forged)), text);
      await expectReadable(tab, name);
      // Whoever means it chooses it as the policy.
      await tab.choose("policy", forged);
      await tab.until(`document.body.dataset.state === 'accepted' && ${shown}.includes('${digestOf(forged)}')`);
      expect(`${name}: notice stays`, (await tab.evaluate(notice)) === "");
      await expectQuiet(tab, name);
      await tab.close();
    }
  }
  const tab = await Tab.open(browser, url);
  await tab.choose("proof", forged);
  await tab.until(`${notice} === 'forged.policy looks like a policy; it is not used. '
    + 'To use it, choose it under Policy.'`);
  expect("forged policy, none given: taken", !(await tab.evaluate("document.querySelector('#slots .name')")));
  await tab.choose("artifact", forged);
  await tab.until(`${shown}.includes('Still missing: the policy and the proof')`);
  await tab.close();
}

/** Of files that could each be the one that is meant none is taken, however they come, and all are named. */
async function rivals(browser) {
  const one = cases.get("policy-one");
  const forged = copy("forged.policy", stored(one.policy));
  const third = copy("third.policy", path.join(__dirname, "../CABI/samples/itoa.policy"));
  const both = (files, looks, title) => `${notice} === '${files} both ${looks}; neither is used. `
    + `Choose one under ${title}.'`;
  const twoPolicies = both("four.policy and forged.policy", "look like a policy", "Policy");
  const missing = `${shown}.trim() === 'Still missing: the policy.' && document.body.dataset.state === 'idle'`;

  // At once, and one after the other: by then the first had given its verdict, which is gone.
  const ways = [["at once", [[policy, forged, proof, artifact]]], ["in turn", [[policy, proof, artifact], [forged]]],
    ["one by one", [[policy], [forged], [proof], [artifact]]]];
  for (const [way, drops] of ways) {
    const name = `rival policies, ${way}`;
    const tab = await Tab.open(browser, url);
    for (const files of drops) {
      await tab.drop(files);
      const seen = `[...document.querySelectorAll('#slots .name, #notice bdi')].map((node) => node.textContent)`;
      const names = JSON.stringify(files.map((file) => path.basename(file)));
      await tab.until(`${names}.every((name) => ${seen}.includes(name)) && document.body.dataset.state !== 'working'`);
    }
    await tab.until(`${twoPolicies} && ${missing}`);
    expect(`${name}: slot`, (await tab.evaluate(slot("policy"))) === null);
    await expectReadable(tab, name);
    if (way === "in turn") await tab.screenshot(path.join(screens, "rival-policies.png"));
    // One of them again is no answer, nor is a third.
    await tab.drop([policy]);
    await tab.until(`${twoPolicies} && ${missing}`);
    await tab.drop([third]);
    await tab.until(`${notice} === 'four.policy, forged.policy and third.policy all look like a policy; '
      + 'none of them is used. Choose one under Policy.' && ${missing}`);
    await tab.drop([artifact]);
    await tab.until(`${notice}.includes('none of them is used') && ${missing}`);
    await tab.choose("policy", policy);
    await tab.until("document.body.dataset.state === 'accepted'");
    expect(`${name}: notice stays`, (await tab.evaluate(notice)) === "");
    expect(`${name}: digest`, (await tab.evaluate(shown)).includes(digestOf(policy)));
    // What was chosen stays, whatever is dropped.
    await tab.drop([forged, third]);
    await tab.until(`${notice} === 'forged.policy and third.policy both look like a policy; neither is used, and '
      + 'four.policy stays. To change that, choose one under Policy.'`);
    expect(`${name}: verdict`, (await tab.evaluate("document.body.dataset.state")) === "accepted");
    expect(`${name}: the chosen one`, (await tab.evaluate(slot("policy"))) === "four.policy");
    await expectQuiet(tab, name);
    await tab.close();
  }

  // The same policy again, by whatever name, is no rival, and what is taken away is none any more.
  let tab = await Tab.open(browser, url);
  await tab.drop([policy, proof, artifact]);
  await tab.until(settled);
  await tab.drop([copy("again.policy", policy), policy, path.join(work, "libitoa-changed.rlib")]);
  await tab.until("document.body.dataset.state === 'refused'");
  expect("the same policy: notice", (await tab.evaluate(notice)) === "", await tab.evaluate(notice));
  expect("the same policy: slot", (await tab.evaluate(slot("policy"))) === "four.policy");
  await tab.evaluate("document.querySelector('[aria-label=\"Remove the policy\"]').click()");
  await tab.until(missing);
  await tab.drop([forged, artifact]);
  await tab.until(`${settled} && ${slot("policy")} === 'forged.policy'`);
  expect("after removal: notice", (await tab.evaluate(notice)) === "", await tab.evaluate(notice));
  await tab.close();

  // Proofs and artifacts: a later one takes the place of an earlier one, and of two at once neither does.
  const otherProof = copy("other.tlog-proof", stored(cases.get("absent-no-reveal").proof));
  const changed = path.join(work, "libitoa-changed.rlib");
  tab = await Tab.open(browser, url);
  await tab.drop([policy, proof, otherProof, artifact]);
  await tab.until(both("itoa.tlog-proof and other.tlog-proof", "look like a proof", "Proof"));
  await tab.until(`${shown}.trim() === 'Still missing: the proof.'`);
  await tab.screenshot(path.join(screens, "rival-proofs.png"));
  await tab.drop([proof]);
  await tab.until("document.body.dataset.state === 'accepted'");
  await tab.drop([otherProof, copy("third.tlog-proof", proof), artifact, changed]);
  await tab.until(`${notice} === 'other.tlog-proof and third.tlog-proof both look like a proof; neither is used, and '
    + 'itoa.tlog-proof stays. To change that, choose one under Proof. libitoa.rlib and libitoa-changed.rlib both '
    + 'could be the artifact; neither is used, and libitoa.rlib stays. To change that, choose one under Artifact.'`);
  expect("rival proofs: verdict", (await tab.evaluate("document.body.dataset.state")) === "accepted");
  await tab.drop([otherProof]);
  await tab.until(`${settled} && ${slot("proof")} === 'other.tlog-proof' && ${notice} === ''`);
  await expectQuiet(tab, "rival proofs");
  await tab.close();
}

/** An artifact with its proof inside needs the policy alone. */
async function embedded(browser) {
  const rows = fs.readFileSync(stored("embedded.tsv"), "utf8").split("\n").map((line) => line.split("\t"));
  for (const name of ["trailer-elf", "archive-odd"]) {
    const [, file, , contentSize] = rows.find((row) => row[0] === name);
    const content = fs.readFileSync(stored(file)).subarray(0, Number(contentSize));
    await verdict(browser, { name: `embedded-${name}`, files: [policy, stored(file)], state: "accepted",
      wants: ["taken from the file", crypto.createHash("sha256").update(content).digest("hex")] });
  }
  // A proof that is given goes first, and is about the whole file, as for the programs.
  const other = { name: "embedded-other-proof", files: [policy, proof, stored("embedded/trailer-elf.elf")] };
  await verdict(browser, { ...other, state: "refused", wants: ["Status 10", "carries a proof of its own",
    crypto.createHash("sha256").update(fs.readFileSync(stored("embedded/trailer-elf.elf"))).digest("hex")] });
  const tab = await Tab.open(browser, url);
  await tab.drop(other.files);
  await tab.until("document.body.dataset.state === 'refused'");
  await tab.evaluate("document.querySelector('[aria-label=\"Remove the proof\"]').click()");
  await tab.until("document.body.dataset.state === 'accepted'");
  await tab.close();
  await verdict(browser, { name: "embedded-malformed", files: [policy, stored("embedded/bad-length-beyond-file.bin")],
    state: "refused", wants: ["The artifact cannot be read", "Status 1,"] });
}

/** Names that lie: shown as what they are, obeyed by nobody. */
async function hostile(browser) {
  const lines = fs.readFileSync(proof, "utf8").split("\n");
  // An unknown signer's line is skipped, whatever its name: here one that runs backwards, hides and looks like markup.
  const name = "<img/src=x/onerror=alert(1)>\u202egpj.exe\u200b\u2066\u00ad";
  const last = lines.findLastIndex((line) => line.startsWith("\u2014"));
  lines.splice(last + 1, 0, `\u2014 ${name} ${Buffer.alloc(68, 1).toString("base64")}`);
  const lying = made("lying\u202eoof.tlog-proof", lines.join("\n"));
  const changed = made("lib\u202ebilr.<b>bold<\u200bb>", flipped);
  const tab = await Tab.open(browser, url);
  await tab.drop([policy, lying, changed]);
  await tab.until(settled);
  await tab.evaluate("for (const part of document.querySelectorAll('details')) part.open = true");
  const text = await tab.evaluate("document.querySelector('main').textContent");
  const visible = ["<img/src=x/onerror=alert(1)>U+202Egpj.exeU+200BU+2066U+00AD", "libU+202Ebilr.<b>bold<U+200Bb>"];
  for (const wanted of visible) {
    expect("hostile: no visible name", text.includes(wanted), text);
  }
  expect("hostile: hidden characters", !/[\u200b-\u200f\u202a-\u202e\u2060-\u2069\u00ad]/.test(text), text);
  expect("hostile: markup", (await tab.evaluate("document.querySelectorAll('main img, main b').length")) === 0);
  await tab.screenshot(path.join(screens, "hostile-names.png"));
  await expectQuiet(tab, "hostile");
  await tab.close();
}

/** A large artifact is read piece by piece, with its progress shown, and can be exchanged on the way. */
async function large(browser) {
  const size = 192 * 1024 * 1024;
  const file = made("large.bin", "");
  fs.truncateSync(file, size);
  const tab = await Tab.open(browser, url);
  await tab.drop([policy, proof, file]);
  await tab.until("document.querySelector('progress')?.value > 0");
  await tab.screenshot(path.join(screens, "progress.png"));
  await tab.until(settled, 120);
  const zeros = crypto.createHash("sha256");
  for (let i = 0; i < size; i += 1024 * 1024) zeros.update(Buffer.alloc(1024 * 1024));
  const text = await tab.evaluate(shown);
  expect("large: digest", text.includes(zeros.digest("hex")), text);
  await tab.drop([file]);
  await tab.until("document.querySelector('progress')?.value > 0");
  await tab.drop([artifact]);
  await tab.until("document.body.dataset.state === 'accepted'");
  await expectQuiet(tab, "large");
  await tab.close();
}

/** A module that gives up says neither yes nor no, and the next question finds a new one. */
async function traps(browser) {
  const tab = await Tab.open(browser, url);
  await tab.evaluate(`{
    const instantiate = WebAssembly.instantiate;
    WebAssembly.instantiate = async (...all) => ({ exports: { ...(await instantiate(...all)).exports, page_verify() {
      WebAssembly.instantiate = instantiate;
      throw new WebAssembly.RuntimeError("unreachable");
    } } });
  }`);
  await tab.drop([policy, proof, artifact]);
  await tab.until(settled);
  const text = await tab.evaluate(shown);
  expect("traps: verdict", text.includes("Not verified") && text.includes("Nothing was checked"), text);
  await tab.drop([artifact]);
  await tab.until("document.body.dataset.state === 'accepted'");
  await expectQuiet(tab, "traps");
  // Where scripts are switched off, the page says so.
  await tab.send("Emulation.setScriptExecutionDisabled", { value: true });
  await tab.send("Page.reload");
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const { nodes } = await tab.send("Accessibility.getFullAXTree");
  expect("no scripts: sentence", nodes.some((node) => node.name?.value?.includes("switched off here")));
  await tab.close();
}

/** The same page for other eyes, and for hands without a mouse. */
async function looks(browser) {
  const eyes = [["dark", { scheme: "dark" }], ["phone", { width: 390, height: 844, phone: true }],
    ["phone-dark", { width: 360, height: 780, phone: true, scheme: "dark" }]];
  for (const [name, settings] of [["light", {}], ...eyes]) {
    for (const [what, files] of [["empty", []], ["accepted", [policy, proof, artifact]],
      ["refused", [policy, proof, path.join(work, "libitoa-changed.rlib")]]]) {
      const tab = await Tab.open(browser, url, settings);
      if (files.length > 0) {
        await tab.drop(files);
        await tab.until(settled);
        await tab.evaluate("for (const part of document.querySelectorAll('details')) part.open = true");
      }
      await expectReadable(tab, `${name} ${what}`);
      await tab.screenshot(path.join(screens, `look-${name}-${what}.png`));
      await tab.close();
    }
  }
  const tab = await Tab.open(browser, url);
  await tab.drop([policy, proof, artifact]);
  await tab.until(settled);
  const order = [];
  for (let i = 0; i < 7; i++) {
    for (const type of ["keyDown", "keyUp"]) {
      await tab.send("Input.dispatchKeyEvent", { type, key: "Tab", code: "Tab", windowsVirtualKeyCode: 9 });
    }
    order.push(await tab.evaluate(
      "document.activeElement.id || document.activeElement.ariaLabel || document.activeElement.localName"));
  }
  const wanted = ["choose-policy", "Remove the policy", "choose-proof", "Remove the proof", "choose-artifact",
    "Remove the artifact", "summary"];
  expect("keyboard: order", order.join(" > ") === wanted.join(" > "), order.join(" > "));
  const { nodes } = await tab.send("Accessibility.getFullAXTree");
  const nameless = nodes.filter((node) => !node.ignored && !node.name?.value
    && ["button", "textbox", "progressbar", "link", "DisclosureTriangle"].includes(node.role.value));
  expect("controls without a name", nameless.length === 0, nameless.length);
  await tab.close();
}

/** That the page is quiet is no accident: its policy lets nothing out, and no foreign script in. */
async function fenced(browser) {
  const tab = await Tab.open(browser, url);
  for (const [what, attempt] of [
    ["fetch", "fetch('https://example.com/').then(() => 'out', () => 'kept')"],
    ["own file", "fetch(location.href).then(() => 'out', () => 'kept')"],
    ["image", "new Promise((done) => { const i = new Image(); i.onload = () => done('out'); "
      + "i.onerror = () => done('kept'); i.src = 'https://example.com/x.png'; })"],
    ["socket", "new Promise((done) => { try { const s = new WebSocket('wss://example.com'); "
      + "s.onopen = () => done('out'); s.onerror = () => done('kept'); } catch { done('kept'); } })"],
    ["eval", "new Promise((done) => { try { (0, eval)('1'); done('out'); } catch { done('kept'); } })"],
    ["script", "new Promise((done) => { const s = document.createElement('script'); globalThis.ran = 'kept'; "
      + "try { s.textContent = 'ran = \"out\"'; document.body.append(s); } catch {} done(ran); })"],
    ["markup", "(() => { try { document.body.innerHTML = '<p>'; return 'out'; } catch { return 'kept'; } })()"],
  ]) {
    expect(`fenced: ${what}`, (await tab.evaluate(attempt)) === "kept");
  }
  await tab.close();
}

(async () => {
  const browser = await Browser.start(program);
  try {
    for (const one of verdicts) await verdict(browser, one);
    for (const suite of [choices, forgedPolicies, rivals, embedded, hostile, large, traps, looks, fenced]) {
      await suite(browser);
    }
  } finally {
    await browser.close();
  }
  console.log(`page: ${checks} checks, ${failures} failures; screenshots in ${screens}`);
  process.exitCode = failures === 0 ? 0 : 1;
})().catch((error) => {
  console.error(`page: ${error.stack}`);
  process.exitCode = 1;
});
