// The page: three files in, one verdict out. Nothing outlives it.

const roles = ["policy", "proof", "artifact"];
/** What was given for each role. The artifact's own proof stands in its `embedded`; one that is given goes first. */
const given = { policy: null, proof: null, artifact: null };
/** The policies that were dropped: the one that is given, or all that rival. None once one was chosen. */
let droppedPolicies = [];
let verifier = null;
/** Counts what was given: what belongs to an earlier count is out of date, and is thrown away. */
let generation = 0;

const byID = (id) => document.getElementById(id);
const slotOf = (role) => document.querySelector(`#slots [data-role="${role}"]`);

/** Takes a file for the role that it was chosen for. */
async function choose(file, role) {
  byID("notice").textContent = "";
  if (role === "policy") droppedPolicies = [];
  refuseRivals();
  if (role === "proof" && await roleOf(file) === "policy") return refuse([file], "policy");
  await put(file, role);
}

async function put(file, role) {
  const item = { role, name: file.name, size: file.size, file, fault: null, isReady: false };
  given[role] = item;
  generation += 1;
  await work(item, read);
}

/** Says what was not done with a file; until the next one is given. */
function notify(...parts) {
  const notice = byID("notice");
  notice.append(notice.hasChildNodes() ? " " : "", ...parts);
}

/** Says that files with the looks of a role do not get it, what stays, and how to have one of them. */
function refuse(files, role) {
  const isOne = files.length === 1;
  const looks = role === "artifact" ? "could be the artifact" : `${isOne ? "looks" : "look"} like a ${role}`;
  const isTwo = files.length === 2;
  const unused = isOne ? "it is not used" : isTwo ? "neither is used" : "none of them is used";
  const names = files.flatMap((file, i) =>
    [i === 0 ? "" : i === files.length - 1 ? " and " : ", ", quoted(file.name)]);
  const stays = given[role] === null ? [isOne ? ". To use it, choose it" : ". Choose one"]
    : [", and ", quoted(given[role].name), ` stays. To change that, choose ${isOne ? "it" : "one"}`];
  const title = slotOf(role).querySelector("h3").textContent;
  notify(...names, isOne ? " " : isTwo ? " both " : " all ", `${looks}; ${unused}`, ...stays, ` under ${title}.`);
}

/** Does something with an item that takes time, and then looks at the whole again. */
async function work(item, task) {
  item.isReady = false;
  roles.forEach(show);
  wait();
  try {
    await task(item);
  } catch (error) {
    if (given[item.role] === item) item.fault = failure(error, item);
  }
  if (given[item.role] !== item) return;
  item.isReady = true;
  roles.forEach(show);
  await decide();
}

/** Reads what is given: small files whole, the artifact piece by piece. */
async function read(item) {
  if (item.role === "artifact") return readArtifact(item);
  if (item.size > limits[item.role]) {
    item.fault = {
      code: 2, offset: null,
      reason: `The file has ${plural(item.size, "byte")}; a ${item.role} has at most ${count(limits[item.role])}. `
        + "It was not read",
    };
    return;
  }
  item.bytes = await bytesOf(item.file);
  if (item.role === "policy") {
    item.fault = await verifier.policyFault(item.bytes);
    item.sha256 = hexOf(await verifier.sha256(new Blob([item.bytes]), () => {}));
    if (item.fault === null) item.about = describePolicy(item.bytes);
  } else {
    item.inspection = await verifier.inspect(item.bytes);
  }
}

async function readArtifact(item) {
  item.digests = new Map();
  const found = await verifier.findEmbedded(item.file);
  if (found.form === undefined) item.embeddedFault = found;
  else if (found.form !== 0) {
    const bytes = await bytesOf(item.file.slice(found.proofOffset, found.proofOffset + found.proofSize));
    item.embedded = { bytes, inspection: await verifier.inspect(bytes), contentSize: found.contentSize };
  }
  await hash(item);
}

/** How many of the artifact's bytes the proof is about: all, or those before its own proof if that one is taken. */
function provenSize(artifact) {
  return given.proof === null && artifact.embedded ? artifact.embedded.contentSize : artifact.size;
}

async function hash(artifact) {
  const size = provenSize(artifact);
  artifact.digests.set(size, await verifier.sha256(artifact.file.slice(0, size), (done) => {
    if (given.artifact !== artifact) throw new DOMException("Another file was given", "AbortError");
    showProgress(done / size);
  }));
}

/** What went wrong on the way to the bytes, in the form of a refusal without a number. */
function failure(error, item) {
  const reason = error instanceof VerifierFault ? error.message
    : error instanceof DOMException
      ? `\`${item.name}\` could not be read: it may be a folder, or was moved or changed since; choose it again`
      : "The page has a fault, and nothing was checked; please report it";
  if (!(error instanceof DOMException || error instanceof VerifierFault)) console.error(error);
  return { code: null, reason, offset: null };
}

/** Verifies as soon as all is there; a file that cannot be read is told at once. */
async function decide() {
  const current = generation;
  const { policy, artifact } = given;
  const proof = given.proof ?? artifact?.embedded ?? null;
  if (artifact?.isReady && !artifact.fault && !artifact.digests.has(provenSize(artifact))) return work(artifact, hash);
  const embeddedFault = given.proof === null ? artifact?.embeddedFault : undefined;
  const faults = [[policy?.fault, "policy"], [given.proof?.fault, "proof"], [artifact?.fault, "artifact"],
    [embeddedFault, "artifact"]];
  for (const [fault, role] of faults) {
    if (fault) return conclude("refused", refusal(fault, role, null, null));
  }
  if (!policy?.isReady || !artifact?.isReady || !proof || (given.proof && !given.proof.isReady)) return wait();
  const size = provenSize(artifact);
  const subject = {
    name: artifact.name, size, sha256: artifact.digests.get(size),
    isProofInside: given.proof === null, hasOtherProof: given.proof !== null && artifact.embedded !== undefined,
  };
  let report;
  try {
    report = await verifier.verify(policy.bytes, proof.bytes, subject.sha256);
  } catch (error) {
    report = { verified: false, ...failure(error, artifact) };
  }
  if (current !== generation) return;
  if (report.verified === true) {
    conclude("accepted", acceptance(report, subject, policy));
  } else {
    conclude("refused", refusal(report, "proof", subject, proof.inspection));
  }
}

function conclude(state, { verdict, particulars }) {
  document.body.dataset.state = state;
  document.title = state === "accepted" ? "Verified" : "Not verified";
  byID("verdict").replaceChildren(verdict);
  byID("particulars").replaceChildren(...particulars);
}

/** Says what is still missing. */
function wait() {
  const isWorking = roles.some((role) => given[role] !== null && !given[role].isReady);
  const missing = roles.filter((role) => given[role] === null && !(role === "proof" && given.artifact?.embedded));
  document.body.dataset.state = isWorking ? "working" : "idle";
  document.title = "Who rebuilt this file?";
  const names = missing.map((role) => `the ${role}`);
  const all = names.length > 1 ? `${names.slice(0, -1).join(", ")} and ${names.at(-1)}` : names[0];
  const text = isWorking ? "Reading…"
    : missing.length === roles.length
      ? "The policy is of the group whose builders you trust, and you get it from them, once. The proof comes with the "
        + "artifact: a file whose name ends in .tlog-proof, or inside the artifact."
      : `Still missing: ${all}.`;
  byID("verdict").replaceChildren(element("p", { class: "waiting" }, text));
  byID("particulars").replaceChildren();
}

/** Draws what is given for a role. */
function show(role) {
  const slot = slotOf(role);
  const item = given[role];
  const box = slot.querySelector(".given");
  slot.querySelector(".choose button")?.remove();
  slot.querySelector(".choose span").textContent = item === null ? "Choose" : "Change";
  if (item === null) {
    const inside = role === "proof" && given.artifact?.embedded;
    box.replaceChildren(element("p", { class: inside ? "detail" : "none" },
      inside ? "taken from the artifact, which carries it"
        : role === "proof" ? "none yet; not needed if the artifact carries it" : "none yet"));
    return;
  }
  const remove = element("button", { type: "button", "aria-label": `Remove the ${role}` }, "Remove");
  remove.addEventListener("click", () => {
    if (role === "policy") droppedPolicies = [];
    takeAway(role);
    byID(`choose-${role}`).focus();
  });
  slot.querySelector(".choose").append(remove);
  box.replaceChildren(element("p", { class: "name" }, quoted(item.name)), ...details(item));
}

function details(item) {
  if (item.fault) return [element("p", { class: "fault" }, "cannot be used; see below")];
  const lines = [byteSize(item.size)];
  const about = item.about;
  if (about) {
    const origins = about.origins.flatMap((origin, i) => [i > 0 ? ", " : "of ", quoted(origin)]);
    lines.push([origins, origins.length > 0 ? ": " : "",
      `${plural(about.builders, "builder")}, ${plural(about.witnesses, "cosigner")}`]);
  }
  if (item.embedded) lines.push(given.proof === null ? "carries its proof" : "carries a proof, which is not used");
  if (item.inspection?.package) lines.push(["says it is about ", quoted(item.inspection.package)]);
  const nodes = lines.map((line) => element("p", { class: "detail" }, line));
  if (item.role === "artifact" && !item.isReady) {
    nodes.push(element("progress", { max: "1", value: "0", "aria-label": "Reading the artifact" }));
  }
  return nodes;
}

function showProgress(done) {
  const bar = slotOf("artifact").querySelector("progress");
  if (bar) bar.value = done;
}

function takeAway(role) {
  given[role] = null;
  generation += 1;
  roles.forEach(show);
  decide();
}

async function roleOf(file) {
  try {
    return await recognize(file);
  } catch {
    // A folder, say: as the artifact it gets its sentence.
    return "artifact";
  }
}

/** Takes files that were dropped together. Of several for one role none is taken: which one is meant, nobody knows. */
async function takeAll(files) {
  const found = { policy: [], proof: [], artifact: [] };
  for (const file of files) found[await roleOf(file)].push(file);
  const policies = await Promise.all(found.policy.map(policyOf));
  byID("notice").textContent = "";
  takePolicies(policies);
  for (const role of ["proof", "artifact"]) {
    if (found[role].length === 1) put(found[role][0], role);
    if (found[role].length > 1) refuse(found[role], role);
  }
}

/** A dropped policy with its bytes, so that the same one is known again. */
async function policyOf(file) {
  return { file, name: file.name, bytes: file.size > limits.policy ? null : await bytesOf(file).catch(() => null) };
}

/**
 * Takes a dropped policy if there is one alone. Whom to trust is for the user to say: a file that came with a proof
 * must not become the policy by its looks, be it dropped before or after the user's own.
 */
function takePolicies(policies) {
  const isChosen = given.policy !== null && droppedPolicies.length === 0;
  const others = [];
  for (const one of policies) {
    const known = [...(isChosen ? [given.policy] : droppedPolicies), ...others];
    if (!known.some((other) => areEqual(one.bytes, other.bytes))) others.push(one);
  }
  if (isChosen) {
    if (others.length > 0) refuse(others, "policy");
    return;
  }
  droppedPolicies.push(...others);
  if (droppedPolicies.length > 1 && given.policy !== null) takeAway("policy");
  if (droppedPolicies.length === 1 && given.policy === null) put(droppedPolicies[0].file, "policy");
  refuseRivals();
}

/** Says it of the dropped policies until one of them is chosen. */
function refuseRivals() {
  if (droppedPolicies.length > 1) refuse(droppedPolicies, "policy");
}

function listen() {
  for (const role of roles) {
    const input = byID(`choose-${role}`);
    input.addEventListener("change", () => {
      if (input.files.length > 0) choose(input.files[0], role);
      // So that the same file, changed in the meantime, can be chosen again.
      input.value = "";
    });
  }
  let depth = 0;
  const isFiles = (event) => event.dataTransfer?.types.includes("Files");
  const mark = () => document.body.classList.toggle("is-dropping", depth > 0);
  addEventListener("dragenter", (event) => {
    if (!isFiles(event)) return;
    event.preventDefault();
    depth += 1;
    mark();
  });
  addEventListener("dragleave", (event) => {
    if (!isFiles(event)) return;
    depth = Math.max(0, depth - 1);
    mark();
  });
  addEventListener("dragover", (event) => {
    if (isFiles(event)) event.preventDefault();
  });
  addEventListener("drop", (event) => {
    event.preventDefault();
    depth = 0;
    mark();
    takeAll([...event.dataTransfer.files]);
  });
}

async function start() {
  roles.forEach(show);
  try {
    verifier = await Verifier.load(moduleBase64);
    byID("version").textContent = await verifier.version();
  } catch {
    conclude("refused", refusal({
      code: null, offset: null,
      reason: "This browser cannot run WebAssembly here; use another one, or the program synchronicity-verify",
    }, "proof", null, null));
    return;
  }
  listen();
  wait();
  document.body.dataset.isLoaded = "yes";
}

start();
