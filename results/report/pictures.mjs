// Usage: node pictures.mjs PAGE.html FOLDER - draws a report's pictures into FOLDER/NAME.svg with the
// scripts that lie in the page, on a document that knows only what they use.
import fs from "node:fs";
import path from "node:path";
import vm from "node:vm";

const [page, folder] = process.argv.slice(2);
const html = fs.readFileSync(page, "utf8");
const SVG = "http://www.w3.org/2000/svg";

function script(id) {
  const found = html.match(new RegExp(`<script[^>]* id="${id}"[^>]*>([\\s\\S]*?)</script>`));
  if (!found) throw new Error(`${page}: no script "${id}": not a report, or one without pictures`);
  return found[1];
}

const escape = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;")
  .replace(/>/g, "&gt;").replace(/"/g, "&quot;");

class Element {
  constructor(document, name) {
    Object.assign(this, {ownerDocument: document, namespaceURI: SVG, tagName: name,
      attributes: new Map(), childNodes: [], parentNode: null, text: ""});
  }
  setAttribute(name, value) { this.attributes.set(name, value); }
  getAttribute(name) { return this.attributes.get(name) ?? null; }
  removeAttribute(name) { this.attributes.delete(name); }
  insertBefore(child, before) {
    const at = this.childNodes.indexOf(before);
    this.childNodes.splice(at < 0 ? this.childNodes.length : at, 0, child);
    child.parentNode = this;
    return child;
  }
  appendChild(child) { return this.insertBefore(child, null); }
  querySelector() { return null; }  // pictures are drawn once, into an empty element
  querySelectorAll() { return []; }
  set textContent(value) { this.text = value ?? ""; }
  toString() {
    const attributes = [...this.attributes].map(([name, value]) => ` ${name}="${escape(value)}"`);
    return `<${this.tagName}${attributes.join("")}>${escape(this.text)}` +
      `${this.childNodes.join("")}</${this.tagName}>`;
  }
}
const document = {createElementNS: (uri, name) => new Element(document, name)};
document.documentElement = document.createElementNS(SVG, "svg");

const context = vm.createContext({document, setTimeout, clearTimeout});
for (const id of ["d3", "pictures"]) vm.runInContext(script(id), context, {filename: id});
context.text = script("data");
const pictures = vm.runInContext("lraPictures(d3, JSON.parse(text))", context);
fs.mkdirSync(folder, {recursive: true});
for (const picture of pictures) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("xmlns", SVG);
  picture.draw(context.d3.select(svg), new Set());
  fs.writeFileSync(path.join(folder, `${picture.name}.svg`), svg.toString() + "\n");
}
