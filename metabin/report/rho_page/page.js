"use strict";

// The records of the page, one for each fold and method. With S steps, L layers and B bins of rho a record has:
//   steps (S); layers (L) with name and channels; means (S x L); counts (S x L x B, 16 bits each);
//   levels: for each layer S x channels bytes, in which 255 stands for rho = 1.
const DATA = JSON.parse(document.getElementById("records").textContent);
const INK = "#22262b", MUTED = "#5d646c", HAIRLINE = "#e3e5e7", MARKED = "#c4302b";
const MARGINS = { // of the plot in its canvas, in pixels
  heat: { left: 52, right: 4, top: 8, bottom: 130 },
  paths: { left: 52, right: 26, top: 8, bottom: 38 },
  marks: { left: 52, right: 26, top: 8, bottom: 38 },
  histogram: { left: 52, right: 34, top: 8, bottom: 38 },
};
const $ = (id) => document.getElementById(id);
const now = { record: null, step: 0, layer: 0, channel: -1 }; // indices; channel -1: none is marked
let timer = 0;

const last = (values) => values[values.length - 1];
const limit = (value, low, high) => Math.max(low, Math.min(high, value));
const percent = (share) => `${(100 * share).toFixed(1)} %`;
const shorten = (name) => (name.length > 22 ? `…${name.slice(-21)}` : name);
const number = (value) => value.toLocaleString("en");
const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

/** Decode the arrays of a record when it is first shown. */
function decode(record) {
  if (record.starts) return record;
  record.counts = new Uint16Array(bytes(record.counts).buffer);
  record.levels = bytes(record.levels);
  record.starts = [0];
  for (const layer of record.layers) record.starts.push(last(record.starts) + layer.channels * record.steps.length);
  const shares = record.layers.map((_, layer) => sharesOf(record, record.steps.length - 1, layer));
  record.top = Math.max(...shares.flat());
  return record;
}

/** Return the share of a layer's channels in each bin at a step. */
function sharesOf(record, step, layer) {
  const start = (step * record.layers.length + layer) * DATA.bins;
  const counts = record.counts.subarray(start, start + DATA.bins);
  return Array.from(counts, (count) => count / record.layers[layer].channels);
}

/** Return the rho of a channel of the present layer at a step. */
function rhoOf(channel, step = now.step) {
  const { record, layer } = now;
  return record.levels[record.starts[layer] + step * record.layers[layer].channels + channel] / 255;
}

/** Clear a canvas and fit it to its size on the page; return its pen and the box of the plot in it. */
function frame(id) {
  const canvas = $(id), { left, right, top, bottom } = MARGINS[id], ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(canvas.clientWidth * ratio);
  canvas.height = Math.round(canvas.clientHeight * ratio);
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  pen.font = "12px system-ui, 'Liberation Sans', sans-serif";
  pen.textBaseline = "middle";
  const width = canvas.clientWidth - left - right, height = canvas.clientHeight - top - bottom;
  return { pen, left, top, width, height, y: (rho) => top + (1 - rho) * height };
}

function text(pen, words, x, y, { align = "center", colour = MUTED, turn = 0, weight = "" } = {}) {
  pen.save();
  pen.font = `${weight} ${pen.font}`;
  pen.translate(x, y);
  pen.rotate(turn);
  pen.textAlign = align;
  pen.fillStyle = colour;
  pen.fillText(words, 0, 0);
  pen.restore();
}

function rhoAxis({ pen, left, width, y }) {
  pen.strokeStyle = HAIRLINE;
  for (const tick of [0, 0.25, 0.5, 0.75, 1]) {
    pen.strokeRect(left, y(tick), width, 0);
    text(pen, tick, left - 6, y(tick), { align: "right" });
  }
  text(pen, "rho   (0 instance norm, 1 batch norm)", 8, y(0.5), { turn: -Math.PI / 2 });
}

/** Return the x of a step in a plot over the steps. */
function stepX({ left, width }, step) {
  const { steps } = now.record;
  return left + ((step - steps[0]) / (last(steps) - steps[0] || 1)) * width;
}

function stepAxis(plot) {
  const { pen, left, top, width, height } = plot, { steps } = now.record, end = last(steps);
  const least = ((end - steps[0] || 1) * 70) / width, power = 10 ** Math.floor(Math.log10(least));
  const stride = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= least);
  for (let step = Math.ceil(steps[0] / stride) * stride; step <= end; step += stride)
    text(pen, number(step), stepX(plot, step), top + height + 13);
  text(pen, "step", left + width / 2, top + height + 29);
}

/** Draw a line over the steps, from a function of the index of a step. */
function path(plot, valueOf) {
  plot.pen.beginPath();
  now.record.steps.forEach((step, index) => plot.pen.lineTo(stepX(plot, step), plot.y(valueOf(index))));
  plot.pen.stroke();
}

function drawHeat() {
  const { record, step } = now, plot = frame("heat"), { pen, left, top, height, y } = plot;
  const column = plot.width / record.layers.length, row = height / DATA.bins, gap = column > 10 ? 1 : 0;
  const every = Math.ceil(14 / column); // the columns that one label needs
  rhoAxis(plot);
  record.layers.forEach((layer, index) => {
    const x = left + index * column, isChosen = index === now.layer;
    sharesOf(record, step, index).forEach((share, bin) => {
      pen.fillStyle = DATA.colours[Math.round(Math.min(1, share / record.top) * (DATA.colours.length - 1))];
      pen.fillRect(x, y((bin + 1) / DATA.bins), column - gap, row - gap);
    });
    pen.beginPath();
    pen.arc(x + (column - gap) / 2, y(record.means[step][index]), Math.min(4, column / 2.5), 0, 7);
    pen.fillStyle = INK;
    pen.fill();
    pen.strokeStyle = "#fff";
    pen.stroke();
    // The chosen layer always has a label, and its neighbours none that would touch it.
    if (!isChosen && (index % every || Math.abs(index - now.layer) < every)) return;
    const style = { align: "right", turn: -Math.PI / 2, ...(isChosen && { colour: INK, weight: "bold" }) };
    text(pen, shorten(layer.name), x + column / 2, top + height + 6, style);
  });
  pen.strokeStyle = INK;
  pen.lineWidth = 2;
  pen.strokeRect(left + now.layer * column - gap, top, column + gap, height);
}

function drawPaths() {
  const { record, layer } = now, plot = frame("paths"), { pen } = plot, count = record.layers[layer].channels;
  rhoAxis(plot);
  stepAxis(plot);
  pen.lineJoin = "round";
  pen.strokeStyle = record.colour;
  pen.globalAlpha = limit(20 / count, 0.04, 0.6); // the overlap of many lines shows their density
  for (let channel = 0; channel < count; channel++) path(plot, (step) => rhoOf(channel, step));
  pen.globalAlpha = 1;
  for (const [colour, size] of [["#fff", 5], [INK, 2.5]]) {
    pen.strokeStyle = colour;
    pen.lineWidth = size;
    path(plot, (step) => record.means[step][layer]);
  }
}

/** Draw what follows the step and the pointer, on a canvas above the paths. */
function drawMarks() {
  const { record, step, channel } = now, plot = frame("marks"), { pen, top, height, y } = plot;
  const x = stepX(plot, record.steps[step]);
  pen.setLineDash([4, 4]);
  pen.strokeStyle = INK;
  pen.strokeRect(x, top, 0, height);
  if (channel < 0) return;
  pen.setLineDash([]);
  for (const [colour, size] of [["#fff", 5], [MARKED, 2.5]]) {
    pen.strokeStyle = pen.fillStyle = colour;
    pen.lineWidth = size;
    path(plot, (index) => rhoOf(channel, index));
    pen.beginPath();
    pen.arc(x, y(rhoOf(channel)), size + 1.5, 0, 7);
    pen.fill();
  }
}

function drawHistogram() {
  const { record, step, layer } = now, plot = frame("histogram"), { pen, left, top, width, height, y } = plot;
  const longest = Math.max(...sharesOf(record, record.steps.length - 1, layer)), row = height / DATA.bins;
  rhoAxis(plot);
  sharesOf(record, step, layer).forEach((share, bin) => {
    if (!share) return;
    const size = Math.min(1, share / longest) * width, middle = y((bin + 0.5) / DATA.bins);
    pen.fillStyle = record.colour;
    pen.fillRect(left, middle - row / 2 + 1, size, row - 2);
    const count = Math.round(share * record.layers[layer].channels);
    text(pen, number(count), left + size + 4, middle, { align: "left", colour: INK });
  });
  text(pen, "channels", left + width / 2, top + height + 29);
}

/** Write the numbers of the present step, layer and channel, also for screen readers. */
function write() {
  const { record, step, layer, channel } = now, { name, channels } = record.layers[layer];
  const at = `step ${number(record.steps[step])}`, count = channels === 1 ? "1 channel" : `${number(channels)} channels`;
  const marked = channel < 0 ? "" : ` Channel ${channel}: ${rhoOf(channel).toFixed(2)}.`;
  $("numbers").textContent = `${name}, ${at}: ${count}, mean rho ${record.means[step][layer].toFixed(3)}.${marked}`;
  $("layer").value = layer;
  $("step").value = step;
  $("step").setAttribute("aria-valuetext", at);
  $("step-text").textContent = number(record.steps[step]);
  for (const title of document.querySelectorAll(".layer-name")) title.textContent = name;
  const labels = {
    heat: `Share of channels by rho in ${record.layers.length} layers, ${at}. Chosen: ${name}`,
    paths: `rho of the channels of ${name} over the steps`,
    histogram: `Channels of ${name} in each bin of rho, ${at}`,
  };
  for (const id in labels) $(id).setAttribute("aria-label", labels[id]);
}

/** Change what is shown, and draw the charts that the change concerns. */
function show(changes) {
  const { record, step, layer } = now;
  Object.assign(now, changes);
  const isOther = now.record !== record || now.layer !== layer;
  if (isOther) now.channel = -1;
  if (isOther) drawPaths();
  if (isOther || now.step !== step) drawHeat();
  if (isOther || now.step !== step) drawHistogram();
  drawMarks();
  write();
}

function fill(select, names, chosen) {
  select.replaceChildren(...names.map((name, index) => new Option(name, index)));
  select.selectedIndex = Math.max(0, names.indexOf(chosen));
}

/** Show the record of the chosen fold and method at its last step. */
function choose() {
  const inFold = DATA.records.filter((record) => record.fold === $("fold").selectedOptions[0].text);
  const methods = inFold.map((record) => record.method);
  // The meta-learned methods come last, and are shown first.
  fill($("method"), methods, $("method").selectedOptions[0]?.text ?? methods.at(-1));
  const record = decode(inFold[$("method").selectedIndex]), { steps, recorded } = record;
  fill($("layer"), record.layers.map((layer) => layer.name));
  const pen = frame("heat").pen, widths = record.layers.map((layer) => pen.measureText(shorten(layer.name)).width);
  MARGINS.heat.bottom = Math.ceil(Math.max(...widths) * 1.15) + 10; // bold is wider
  $("step").max = steps.length - 1;
  $("scale-top").textContent = `${percent(record.top)} or more`;
  const part = recorded > steps.length ? `${steps.length} of ${recorded} recorded steps, evenly spaced` : `${recorded} recorded steps`;
  $("coverage").textContent = `Seed ${record.seed}; ${part}.`;
  stop();
  show({ record, step: steps.length - 1, layer: Math.min(now.layer, record.layers.length - 1) });
}

function stop() {
  clearInterval(timer);
  timer = 0;
  $("play").textContent = "Play";
  $("numbers").setAttribute("aria-live", "polite");
}

function play() {
  if (timer) return stop();
  const end = now.record.steps.length - 1;
  if (now.step === end) show({ step: 0 });
  $("play").textContent = "Stop";
  $("numbers").setAttribute("aria-live", "off"); // a screen reader would begin to read every step
  timer = setInterval(() => {
    show({ step: Math.min(end, now.step + 1) });
    if (now.step === end) stop();
  }, limit(8000 / end, 60, 700));
}

/** Show a text beside the pointer; none hides it. */
function tip(event, words = "") {
  const box = $("tip");
  box.textContent = words;
  box.hidden = !words;
  box.style.left = `${limit(event.clientX + 14, 4, document.documentElement.clientWidth - box.offsetWidth - 4)}px`;
  box.style.top = `${Math.max(4, event.clientY - box.offsetHeight - 12)}px`;
}

/** Call a function with the place of the pointer in a plot: x and rho, in [0, 1). */
function onPointer(id, call) {
  const { left, right, top, bottom } = MARGINS[id], canvas = $(id), inside = (value) => limit(value, 0, 1 - 1e-6);
  const react = (event) => {
    const x = (event.offsetX - left) / (canvas.clientWidth - left - right);
    call(event, inside(x), inside(1 - (event.offsetY - top) / (canvas.clientHeight - top - bottom)));
  };
  for (const type of ["pointermove", "pointerdown"]) canvas.addEventListener(type, react);
  canvas.addEventListener("pointerleave", (event) => tip(event));
}

/** Let the arrow keys, Home and End change an index while a chart has the focus. */
function onKeys(id, name, countOf) {
  $(id).addEventListener("keydown", (event) => {
    const end = countOf() - 1, moves = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, Home: -end - 1, End: end + 1 };
    if (!(event.key in moves)) return;
    event.preventDefault(); // the page does not scroll
    show({ [name]: limit(now[name] + moves[event.key], 0, end) });
  });
}

function binText(layer, rho) {
  const { record, step } = now, bin = Math.floor(rho * DATA.bins), share = sharesOf(record, step, layer)[bin];
  const { name, channels } = record.layers[layer], range = [bin, bin + 1].map((edge) => (edge / DATA.bins).toFixed(2));
  const count = `${number(Math.round(share * channels))} of ${number(channels)} channels (${percent(share)})`;
  return `${name}\nrho ${range.join(" to ")}: ${count}\nmean ${record.means[step][layer].toFixed(3)}`;
}

onPointer("heat", (event, x, rho) => {
  const layer = Math.floor(x * now.record.layers.length);
  if (event.type === "pointerdown") show({ layer });
  tip(event, binText(layer, rho));
});
onPointer("histogram", (event, x, rho) => tip(event, binText(now.layer, rho)));
onPointer("paths", (event, x, rho) => {
  const { steps } = now.record, at = steps[0] + x * (last(steps) - steps[0]);
  const nearest = (values, target) => values.reduce((best, value, index) =>
    Math.abs(value - target) < Math.abs(values[best] - target) ? index : best, 0);
  const step = nearest(steps, at), values = Array.from({ length: now.record.layers[now.layer].channels }, (_, channel) => rhoOf(channel, step));
  const channel = nearest(values, rho);
  show({ channel });
  tip(event, `channel ${channel}, step ${number(steps[step])}: rho ${values[channel].toFixed(2)}`);
});
onKeys("heat", "layer", () => now.record.layers.length);
onKeys("paths", "channel", () => now.record.layers[now.layer].channels);
$("fold").addEventListener("change", choose);
$("method").addEventListener("change", choose);
$("layer").addEventListener("change", (event) => show({ layer: Number(event.target.value) }));
$("step").addEventListener("input", (event) => {
  stop();
  show({ step: Number(event.target.value) });
});
$("play").addEventListener("click", play);
window.addEventListener("resize", () => [drawHeat, drawPaths, drawMarks, drawHistogram].forEach((draw) => draw()));
fill($("fold"), [...new Set(DATA.records.map((record) => record.fold))]);
$("scale").style.background = `linear-gradient(90deg, ${DATA.colours.join(", ")})`;
choose();
