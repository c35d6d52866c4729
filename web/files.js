// What a file is, by its content: names say nothing.

const proofStart = "c2sp.org/tlog-proof@";
const policyLine = /^(?:log|witness|builder|group|quorum|reproducers)[ \t]/;
/** Enough to see past a policy's opening comments. */
const recognizedBytes = 16384;

/** "policy", "proof" or "artifact". */
async function recognize(blob) {
  const head = await bytesOf(blob.slice(0, recognizedBytes));
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(head, { stream: true });
  } catch {
    return "artifact";
  }
  if (text.startsWith(proofStart)) return "proof";
  if (text.includes("\0")) return "artifact";
  const line = text.split("\n").find((line) => line.trim() !== "" && !line.startsWith("#"));
  return line !== undefined && policyLine.test(line) ? "policy" : "artifact";
}

/** Whom a policy that was parsed without fault is about, for people to recognize it by. */
function describePolicy(bytes) {
  const lines = new TextDecoder().decode(bytes).split("\n").map((line) => line.trim().split(/[ \t]+/));
  const origins = new Set(lines.filter((words) => words[0] === "log").map((words) => words[1].split("+")[0]));
  const count = (keyword) => lines.filter((words) => words[0] === keyword).length;
  return { origins: [...origins], witnesses: count("witness"), builders: count("builder") };
}

/** Whether both were read, and are the same. */
function areEqual(one, other) {
  return one instanceof Uint8Array && other instanceof Uint8Array && one.length === other.length
    && one.every((byte, i) => byte === other[i]);
}
