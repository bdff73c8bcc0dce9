/**
 * Functions that are called in a page, and report what a person would see: texts that overlap or are cut off, colors that are hard
 * to read, parts that the keyboard does not reach.
 *
 * Each function is sent to the browser as its source, so it uses nothing but the page. This is JavaScript, because a reference to the
 * types of the browser would be one for the whole repository.
 *
 * @module
 */

/** Returns what is wrong with the places of the texts of the page. */
export function layoutFaults() {
  const faults = [];
  const width = document.documentElement.clientWidth;
  const scrolls = document.scrollingElement.scrollWidth - width;
  if (scrolls > 0) faults.push(`the page is ${scrolls} px wider than the window`);

  /** The part of a box that its ancestors show. */
  const clip = (box, element) => {
    for (let at = element; at && at !== document.documentElement; at = at.parentElement) {
      const { overflowX, overflowY, position } = getComputedStyle(at);
      const bounds = at.getBoundingClientRect();
      let { left, top, right, bottom } = box;
      if (overflowX !== "visible") [left, right] = [Math.max(left, bounds.left), Math.min(right, bounds.right)];
      if (overflowY !== "visible") [top, bottom] = [Math.max(top, bounds.top), Math.min(bottom, bounds.bottom)];
      box = { left, top, right, bottom };
      if (position === "fixed") break;
    }
    return box;
  };
  /** Whether nobody sees an element: it is not shown, or it is there for screen readers only. */
  const hidden = (element) => {
    if (!element.checkVisibility({ visibilityProperty: true, opacityProperty: true, contentVisibilityAuto: true })) {
      return true;
    }
    for (let at = element; at; at = at.parentElement) {
      const { clipPath, clip } = getComputedStyle(at);
      if (clipPath !== "none" || clip !== "auto") return true;
    }
    return false;
  };

  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const text = node.nodeValue.trim();
    const parent = node.parentElement;
    if (text === "" || parent.closest("script, style, title, option, desc") || hidden(parent)) continue;
    // What floats over the page, such as an open menu, may cover it.
    let layer = "";
    for (let at = parent; at; at = at.parentElement) {
      const { position } = getComputedStyle(at);
      if (position === "fixed" || position === "sticky" || position === "absolute" && at.matches("details *")) {
        layer += `${at.tagName}.${at.className} `;
      }
    }
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const rect of range.getClientRects()) {
      if (rect.width < 1 || rect.height < 1) continue;
      // The box of a line is higher than its letters.
      const slack = rect.height * 0.22;
      const box = clip(
        { left: rect.left + 0.5, right: rect.right - 0.5, top: rect.top + slack, bottom: rect.bottom - slack },
        parent,
      );
      if (box.right - box.left < 1 || box.bottom - box.top < 1) continue;
      const name = `${parent.tagName.toLowerCase()}.${parent.getAttribute("class") ?? ""}`;
      texts.push({ ...box, text: `${name} "${text.slice(0, 40)}"`, node, layer });
      if (box.right > width + 0.5) {
        faults.push(`${texts.at(-1).text} ends ${Math.round(box.right - width)} px outside`);
      }
      if (box.left < -0.5) faults.push(`${texts.at(-1).text} begins ${Math.round(-box.left)} px outside`);
    }
  }
  texts.sort((a, b) => a.top - b.top);
  for (let i = 0; i < texts.length; i++) {
    for (let j = i + 1; j < texts.length && texts[j].top < texts[i].bottom - 1; j++) {
      const [a, b] = [texts[i], texts[j]];
      if (a.node === b.node || a.layer !== b.layer) continue;
      const over = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      if (over > 1.5 && Math.min(a.bottom, b.bottom) - b.top > 1.5) {
        faults.push(`${a.text} and ${b.text} overlap by ${Math.round(over)} px`);
      }
    }
  }

  // A text that is cut off shows that it is, and something of it is left.
  for (const element of document.body.querySelectorAll("*")) {
    const { overflowX, textOverflow } = getComputedStyle(element);
    if (overflowX !== "hidden" && overflowX !== "clip") continue;
    if (element instanceof SVGElement || element.clientWidth <= 1 || hidden(element)) continue;
    if (textOverflow === "ellipsis") {
      if (element.scrollWidth > element.clientWidth + 1 && element.clientWidth < 40) {
        faults.push(
          `<${element.tagName.toLowerCase()}> "${element.textContent.slice(0, 20)}" is cut to almost nothing`,
        );
      }
      continue;
    }
    if (element.scrollWidth > element.clientWidth + 1 && element.textContent.trim() !== "") {
      const inside = [...element.querySelectorAll("*")].some((part) => {
        const { overflowX } = getComputedStyle(part);
        return overflowX === "auto" || overflowX === "scroll";
      });
      if (!inside) {
        faults.push(`<${element.tagName.toLowerCase()} class="${element.className}"> cuts its text off without a sign`);
      }
    }
  }
  return [...new Set(faults)];
}

/** Returns the texts whose contrast with what is behind them is below 4.5. */
export function contrastFaults() {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const pen = canvas.getContext("2d", { willReadFrequently: true });

  const known = new Map();
  const parse = (text) => {
    let color = known.get(text);
    if (color === undefined) {
      pen.clearRect(0, 0, 1, 1);
      pen.fillStyle = text;
      pen.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
      color = [r, g, b, a / 255];
      known.set(text, color);
    }
    return color;
  };
  const over = (top, below) => {
    const mix = (i) => top[i] * top[3] + below[i] * (1 - top[3]);
    return [mix(0), mix(1), mix(2), 1];
  };
  const luminance = ([r, g, b]) => {
    const linear = [r, g, b].map((value) => {
      const part = value / 255;
      return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const ratio = (a, b) => {
    const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (light + 0.05) / (dark + 0.05);
  };
  const canvasColor = parse(getComputedStyle(document.documentElement).colorScheme.includes("dark") ? "#000" : "#fff");

  /** What is behind a text: the backgrounds of its ancestors, and in a picture the shapes below it. */
  const behind = (element) => {
    const layers = [];
    const svg = element.closest("svg");
    if (svg) {
      const { left, top, width, height } = element.getBoundingClientRect();
      const below = document.elementsFromPoint(left + width / 2, top + height / 2);
      for (const shape of below) {
        if (!(shape instanceof SVGGeometryElement) || !svg.contains(shape)) continue;
        const { fill, fillOpacity, opacity } = getComputedStyle(shape);
        if (fill === "none" || fill.startsWith("url")) continue;
        const [r, g, b, a] = parse(fill);
        layers.push([r, g, b, a * Number(fillOpacity) * Number(opacity)]);
      }
    }
    for (let at = svg ?? element; at; at = at.parentElement) {
      layers.push(parse(getComputedStyle(at).backgroundColor));
      if (layers.at(-1)[3] === 1) break;
    }
    return layers.reduceRight((below, layer) => over(layer, below), canvasColor);
  };

  const faults = new Map();
  const check = (element, text, color, opacity = 1) => {
    for (let at = element; at; at = at.parentElement) opacity *= Number(getComputedStyle(at).opacity);
    const below = behind(element);
    const [r, g, b, a] = parse(color);
    const contrast = ratio(over([r, g, b, a * opacity], below), below);
    if (contrast >= 4.5) return;
    const place = `${element.tagName.toLowerCase()}.${element.getAttribute("class") ?? ""}`;
    faults.set(
      `${place} ${color}`,
      `${contrast.toFixed(2)} ${place} "${text.slice(0, 30)}" ${color} on ${below.map(Math.round)}`,
    );
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const text = node.nodeValue.trim();
    const parent = node.parentElement;
    if (text === "" || parent.closest("script, style, title, desc, [disabled], [aria-disabled=true]")) continue;
    if (!parent.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
    const style = getComputedStyle(parent);
    check(parent, text, parent instanceof SVGElement ? style.fill : style.color);
  }
  for (const input of document.querySelectorAll("input[placeholder], textarea[placeholder]")) {
    if (!input.checkVisibility()) continue;
    const { color, opacity } = getComputedStyle(input, "::placeholder");
    check(input, input.placeholder, color, Number(opacity));
  }
  return [...faults.values()];
}

/** Returns what came from data and is not text: elements, attributes and links that a page of the inspector never has. */
export function foreignMarkup() {
  const faults = [];
  if ("pwned" in globalThis) faults.push("a script from the data ran");
  for (const element of document.querySelectorAll("*")) {
    const tag = element.tagName.toLowerCase();
    const report = (what) => faults.push(`${what}: ${element.outerHTML.slice(0, 120)}`);
    if (["iframe", "object", "embed", "base", "img", "video", "audio", "foreignobject"].includes(tag)) {
      report("element");
    }
    if (
      tag === "meta" && element.hasAttribute("http-equiv") && !/^refresh$/i.test(element.getAttribute("http-equiv"))
    ) {
      report("meta");
    }
    if (tag === "script" && (element.textContent !== "" || !element.hasAttribute("src"))) report("inline script");
    if (tag === "style") report("inline style");
    for (const { name, value } of element.attributes) {
      if (/^on/i.test(name)) report("handler");
      if (name === "style" && value !== "") report("inline style");
      if (name === "autofocus" && tag !== "input") report("focus");
      if (["href", "src", "action", "formaction", "xlink:href"].includes(name)) {
        if (value.startsWith("#")) continue;
        const url = new URL(value, document.baseURI);
        if (url.origin !== location.origin) report("link elsewhere");
        if (url.pathname !== location.pathname) report("link to another path");
      }
    }
  }
  return faults;
}
