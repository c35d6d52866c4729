// Elements, and text from outside, which is shown as what it is and does nothing.

/** An element with attributes and children; strings become text, never markup. */
function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {})) made.setAttribute(key, value);
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return made;
}

/** Characters that cannot be seen or that move what stands around them: control, format, ignorable, odd spaces. */
const hidden = /[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u2800]/u;

/** Text from a file or of a file's name: each hidden character stands there by its number. */
function quoted(text, className) {
  const made = element("bdi", className ? { class: className } : {});
  let plain = "";
  let marks = 0;
  for (const character of text) {
    marks = /\p{M}/u.test(character) ? marks + 1 : 0;
    // Two marks on a letter are writing; a tower of them covers the lines above.
    if (character === " " || (!hidden.test(character) && marks <= 2)) {
      plain += character;
      continue;
    }
    const number = character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    made.append(plain, element("span", { class: "odd", title: "a character that cannot be seen" }, `U+${number}`));
    plain = "";
  }
  made.append(plain);
  return made;
}

/** A sentence of the verifier: what it quotes, and digests, stand out. */
function sentence(text) {
  const parts = text.split(/(`[^`]*`|\b[0-9a-f]{64}\b)/).map((part, i) =>
    (i % 2 === 1 ? element("code", {}, quoted(part.replaceAll("`", ""))) : quoted(part)));
  return [...parts, /[.?!]$/.test(text) ? "" : "."];
}

/** 64 hexadecimal digits in groups of eight; copied, they are one word. */
function digest(hex) {
  return element("code", { class: "digest" }, hex.match(/.{1,8}/g).flatMap((part) =>
    [element("span", {}, part), element("wbr")]));
}

function hexOf(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Digits in groups of three. Past 2^53 a script's numbers are no longer exact. */
function count(number) {
  const text = new Intl.NumberFormat("en").format(number);
  return Number.isSafeInteger(number) ? text : `about ${text}`;
}

function plural(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

function byteSize(bytes) {
  if (bytes < 1024) return plural(bytes, "byte");
  const units = ["KiB", "MiB", "GiB", "TiB", "PiB"];
  let value = bytes;
  let unit = -1;
  while (value >= 1024 && unit + 1 < units.length) [value, unit] = [value / 1024, unit + 1];
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** A time as signed, in UTC. */
function time(milliseconds) {
  const date = new Date(milliseconds);
  if (Number.isNaN(date.getTime())) return document.createTextNode(`${count(milliseconds / 1000)} s after 1970`);
  const iso = date.toISOString();
  return element("time", { datetime: iso }, `${iso.slice(0, iso.indexOf("T"))} ${iso.slice(-13, -5)} UTC`);
}
