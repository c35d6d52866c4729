// How a verdict reads.

/** For each status number its name in the C interface, and what a person can do. */
const refusals = {
  1: ["MALFORMED", "The file is damaged, cut off or of another kind. Get it again from where it came."],
  2: ["TOO_LARGE", "No honest file of this kind is so large. See whether you chose the right one."],
  3: ["UNSUPPORTED_VERSION", "It is of a version that this page does not know. Get the page of a newer release."],
  4: ["INCLUSION_MISMATCH", "The proof was changed since it was made. Get it again from the group."],
  5: ["CONSISTENCY_MISMATCH", "The log contradicts itself. Do not use the artifact."],
  6: ["UNTRUSTED_LOG", "The proof is of another group than your policy. If you mean to trust that group, get its "
    + "policy from someone you trust, and not from whoever gave you the proof."],
  7: ["INVALID_SIGNATURE", "The proof was changed since it was signed. Get it again from the group."],
  8: ["QUORUM_MISSED", "Fewer cosigners than your policy asks for had signed. Get a newer proof."],
  9: ["REPRODUCERS_MISSED", "Fewer builders than your policy asks for made this file. Ask the group for a rebuild."],
  10: ["ARTIFACT_MISMATCH",
    "Do not use this file. Get it again; if the digest stays the same, ask where it comes from."],
  11: ["VERDICT_MISMATCH", "The evidence contradicts itself. Do not use the artifact."],
  12: ["INVALID_KEY", "A key is not written as keys are. Get the file again from where it came."],
  13: ["INVALID_POLICY", "The policy does not hold together. Get it again from whoever made it."],
  14: ["GROUP_MISMATCH", "The log holds another group's evidence. Do not trust it."],
  15: ["NOT_EVIDENCE", "The proof is about something else than a rebuild. See whether you chose the right one."],
  16: ["NOT_REPRODUCED", "The builders did not get the same bytes. Do not use the artifact."],
  17: ["INVALID_REVEAL", "If the builder changed its key, get a newer policy. Otherwise do not use the artifact."],
  18: ["INVALID_SPEC", "What was to be built is not written as it must be. Get the proof again from the group."],
  19: ["NOT_HANDOVER", "The file is another proof than a hand-over. See whether you chose the right one."],
  20: ["WRONG_EPOCH", "The hand-over is not the next one. Give them in order, each once."],
};

const absences = {
  "no-commitment": "nothing: it did not commit in time",
  "no-reveal": "nothing: it committed and did not reveal",
  "wrong-opening": "not what it had committed to",
  "sandbox-fault": "nothing: its sandbox failed",
};

/** A heading and what stands beside it. */
function part(title, body, remark) {
  return element("section", { class: "part" }, element("h3", {}, title), body,
    remark ? element("p", { class: "remark" }, remark) : null);
}

/** Pairs of a label and what it labels; those without a value are left out. */
function facts(pairs) {
  return element("dl", {}, pairs.filter(([, value]) => value !== null).flatMap(([label, value]) =>
    [element("dt", {}, label), element("dd", {}, value)]));
}

/** A cell that looks other than most. */
class Marked {
  constructor(text, className) {
    Object.assign(this, { text, className });
  }
}

/** Roles are spelled out, since a narrow screen lays the table out as a list. */
function table(columns, rows) {
  const head = columns.map((column) => element("th", { scope: "col", role: "columnheader" }, column));
  const body = rows.map((cells) => element("tr", { role: "row" }, cells.map((cell, i) => {
    if (i === 0) return element("th", { scope: "row", role: "rowheader" }, cell);
    const { text, className } = cell instanceof Marked ? cell : new Marked(cell, cell === null ? "blank" : "");
    return element("td", { role: "cell", "data-column": columns[i], class: className }, element("span", {}, text));
  })));
  return element("table", { role: "table" },
    element("thead", { role: "rowgroup" }, element("tr", { role: "row" }, head)),
    element("tbody", { role: "rowgroup" }, body));
}

/** What a builder revealed, compared with the outcome that most did. */
function revealed(builder, report) {
  if (builder.state !== "revealed") return new Marked(absences[builder.state] ?? "nothing", "against");
  const outcome = report.outcomes[builder.outcomeIndex];
  if (outcome?.failure) return new Marked(`a failed build: ${outcome.failure}`, "against");
  if (builder.outcomeIndex === 0) return report.verified ? "these very bytes" : "the first outcome";
  return new Marked("other bytes", "against");
}

function counts(builder) {
  if (builder.reproducer) return new Marked("yes", "counts");
  if (builder.state !== "revealed" || builder.outcomeIndex !== 0) return new Marked("no", "counts-not");
  return new Marked("no: not in your policy", "counts-not");
}

function builders(report) {
  const own = (text) => (text ? quoted(text) : null);
  const columns = ["Builder", "Revealed", "Sandbox", "Processor", "Kernel"];
  if (report.verified) columns.push("Counts");
  return table(columns, report.builders.map((builder) => [
    quoted(builder.name), revealed(builder, report), own(builder.sandbox), own(builder.processor), own(builder.kernel),
    ...(report.verified ? [counts(builder)] : []),
  ]));
}

function where(report) {
  return facts([
    ["Log", quoted(report.log, "quoted")],
    ["Entry", `${count(report.index)}, in a tree of ${plural(report.treeSize, "entry", "entries")}`],
    ["Decided", [time(report.timeMilliseconds), `, block ${count(report.height)}, epoch ${count(report.epoch)}`]],
    ["Asked by", quoted(report.submitter)],
    ["Job", digest(report.job)],
  ]);
}

function sources(report) {
  return table(["Package", "Tree digest", "From"], report.sources.map((source) =>
    [quoted(source.purl, "quoted"), digest(source.tree), quoted(source.origin, "quoted")]));
}

function artifacts(report) {
  return table(["File", "Size", "SHA-256"], report.artifacts.map((artifact) =>
    [quoted(artifact.path, "quoted"), byteSize(artifact.size), digest(artifact.sha256)]));
}

/** "pkg:cargo/itoa@1.0.4" as a name and a version. */
function packageParts(purl) {
  const path = purl.replace(/^pkg:[^/]*\//, "").split(/[?#]/)[0];
  const at = path.lastIndexOf("@");
  return at > 0 ? [path.slice(0, at), path.slice(at + 1)] : [path, null];
}

function ruling(kind, word, children) {
  return element("div", { class: `ruling ${kind}` }, element("p", { class: "word" }, word), children);
}

/** The proof holds. */
function acceptance(report, artifact, policy) {
  const [name, version] = packageParts(report.package);
  const agreeing = plural(report.reproducers.length, "builder");
  const differing = report.builders.filter((builder) => builder.state === "revealed" && builder.outcomeIndex > 0);
  const verdict = ruling("accepted", "Verified", [
    element("p", { class: "sentence" }, `${agreeing} of your policy rebuilt `, quoted(name),
      version === null ? "" : [" ", quoted(version)], " independently and got exactly this file."),
    differing.length === 0 ? null
      : element("p", { class: "advice" }, `${plural(differing.length, "builder")} got something else; see below.`),
  ]);
  const particulars = [
    part("The file", facts([
      ["Name here", quoted(artifact.name)],
      ["Built as", quoted(report.artifact, "quoted")],
      ["Size", `${plural(report.size, "byte")}, mode ${report.mode}`],
      ["SHA-256", digest(report.sha256)],
      ["Proof", artifact.isProofInside ? "taken from the file; the digest is of what stands before it" : null],
    ])),
    part("Made from", facts([
      ["Package", quoted(report.package, "quoted")],
      ["Version", version === null ? null : quoted(version)],
      ["Source", report.source === null ? null : digest(report.source)],
      ["Toolchain", digest(report.toolchain)],
    ])),
    part("Rebuilt by", builders(report), "Sandbox, processor and kernel are each builder’s own word, which it signed. "
      + `The group asks for ${plural(report.wanted, "builder")} that agree; ${count(report.agreeing)} did.`),
    part("Seen by", table(["Cosigner", "Signed at"], report.cosigners.map((cosigner) =>
      [quoted(cosigner.name), time(cosigner.timeSeconds * 1000)])),
    "Cosigners of your policy, who all signed this one state of the log."),
    part("Logged at", where(report)),
    part("Your policy", facts([["File", quoted(policy.name)], ["SHA-256", digest(policy.sha256)]]),
      "All of the above is worth what this policy is worth: compare its digest with whoever gave it to you."),
    element("details", {}, element("summary", {}, `All sources (${report.sources.length}) and artifacts `
      + `(${report.artifacts.length})`),
    part("Sources", sources(report)), part("Artifacts", artifacts(report))),
  ];
  return { verdict, particulars };
}

/** It does not. `what` is what the sentence is about: "policy", "proof" or "artifact". */
function refusal(reason, what, artifact, inspection) {
  const [code, advice] = refusals[reason.code] ?? [null, null];
  const unreadable = [1, 2, 3].includes(reason.code) || what === "policy";
  const kind = unreadable ? `The ${what} cannot be read.`
    : reason.code === 10 ? "This is not the file that was rebuilt."
      : reason.code === null ? "Nothing was checked." : "The proof does not hold.";
  const verdict = ruling("refused", "Not verified", [
    element("p", { class: "kind" }, kind),
    element("p", { class: "sentence" }, sentence(reason.reason)),
    advice ? element("p", { class: "advice" }, advice) : null,
    reason.code === 10 && artifact.hasOtherProof
      ? element("p", { class: "advice" }, "The file carries a proof of its own: remove the other one to check with it.")
      : null,
    code ? element("p", { class: "code" }, `Status ${reason.code}, ${code}`,
      reason.offset === null || reason.offset === undefined ? "" : `, at byte ${count(reason.offset)} of the ${what}`)
      : null,
  ]);
  const particulars = [];
  if (artifact !== null) {
    particulars.push(part("The file", facts([
      ["Name here", quoted(artifact.name)], ["Size", plural(artifact.size, "byte")],
      ["SHA-256", digest(hexOf(artifact.sha256))],
    ])));
  }
  if (inspection?.log) {
    particulars.push(element("details", {}, element("summary", {}, "What the proof says of itself"),
      element("p", { class: "warning" }, "None of this is verified: whoever made the file may have written anything."),
      part("Package", facts([
        ["Package", quoted(inspection.package, "quoted")],
        ["Source", inspection.source === null ? null : digest(inspection.source)],
        ["Toolchain", digest(inspection.toolchain)],
        ["Verdict", quoted(inspection.verdict)],
      ])),
      inspection.artifacts.length > 0 ? part("Artifacts", artifacts(inspection)) : null,
      part("Builders", builders(inspection)),
      part("Signatures", table(["Name", "Key", "Time"], inspection.signatures.map((signature) =>
        [quoted(signature.name), element("code", {}, signature.keyID),
          signature.timeSeconds === null ? "not timed" : time(signature.timeSeconds * 1000)]))),
      part("Log", where(inspection))));
  }
  return { verdict, particulars };
}
