// Asks for the state of what is watched and shows it. Every text of a run stays a text: nothing here makes markup of a string.
(() => {
  "use strict";
  const EVERY = 2000, QUIET = 10000; // ms, while something is at work and else
  const SVG = "http://www.w3.org/2000/svg";
  const at = (id) => document.getElementById(id);
  const shown = {};

  function made(name, text, className) {
    const element = document.createElement(name);
    if (text !== undefined) element.textContent = text;
    if (className) element.className = className;
    return element;
  }

  function drawn(name, attributes, text) {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    return element;
  }

  // only what has changed is made anew
  function update(id, value, draw) {
    const text = JSON.stringify(value);
    if (shown[id] === text) return;
    shown[id] = text;
    draw(value);
  }

  const short = (value) => (Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4))));

  function chart(curve) {
    const figure = made("figure"), [width, height, left, right, top, bottom] = [320, 170, 46, 8, 8, 22];
    const points = curve.points.filter((point) => point.every((value) => typeof value === "number"));
    const xs = points.map((p) => p[0]), ys = points.map((p) => p[1]);
    const [x0, x1] = [Math.min(...xs), Math.max(...xs)], [y0, y1] = [Math.min(...ys), Math.max(...ys)];
    const x = (value) => left + (x1 > x0 ? (value - x0) / (x1 - x0) : 0.5) * (width - left - right);
    const y = (value) => height - bottom - (y1 > y0 ? (value - y0) / (y1 - y0) : 0.5) * (height - top - bottom);
    const last = points.length ? short(ys[ys.length - 1]) : "nothing yet";
    const picture = drawn("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${curve.name} by epoch, now ${last}` });
    if (points.length) {
      for (const value of y1 > y0 ? [y0, y1] : [y0]) {
        picture.append(drawn("line", { x1: left, x2: width - right, y1: y(value), y2: y(value) }));
        picture.append(drawn("text", { x: left - 4, y: y(value) + 4, "text-anchor": "end" }, short(value)));
      }
      picture.append(drawn("text", { x: left, y: height - 6 }, `epoch ${short(x0)}`));
      if (x1 > x0) picture.append(drawn("text", { x: width - right, y: height - 6, "text-anchor": "end" }, short(x1)));
      picture.append(drawn("path", { d: points.map((p, i) => `${i ? "L" : "M"}${x(p[0]).toFixed(1)} ${y(p[1]).toFixed(1)}`).join("") }));
      for (const point of points.length <= 60 ? points : points.slice(-1)) {
        const mark = drawn("circle", { cx: x(point[0]), cy: y(point[1]), r: 3 });
        mark.append(drawn("title", {}, `epoch ${short(point[0])}: ${short(point[1])}`));
        picture.append(mark);
      }
    }
    figure.append(picture, made("figcaption", `${curve.name}, now ${last}`));
    return figure;
  }

  function failures(found) {
    at("failures").hidden = found.list.length === 0;
    const blocks = found.list.map((one) => {
      const block = made("details");
      block.open = found.list.length <= 3;
      block.append(made("summary", `${one.name}: ${one.reason || "no reason is told"}`));
      if (one.log.length) block.append(made("pre", one.log.join("\n")));
      return block;
    });
    if (found.more) blocks.push(made("p", `and ${found.more} more`));
    at("failures").querySelector("div").replaceChildren(...blocks);
  }

  function learning(list) {
    at("learning").hidden = list.length === 0;
    const blocks = list.flatMap((run) => {
      const curves = made("div", undefined, "curves");
      curves.append(...run.curves.map(chart));
      return [made("h3", `${run.name} (${run.state}${run.told ? `: ${run.told}` : ""})`), curves];
    });
    at("learning").querySelector("div").replaceChildren(...blocks);
  }

  function points(found) {
    at("points").hidden = found.rows.length === 0;
    const head = made("tr"), body = at("points").querySelector("tbody");
    head.append(...found.head.map((text) => { const cell = made("th", text); cell.scope = "col"; return cell; }));
    at("points").querySelector("thead").replaceChildren(head);
    body.replaceChildren(...found.rows.map((row) => {
      const line = made("tr");
      line.append(...row.map((text, i) => {
        const cell = made(i ? "td" : "th", text, text === "failed" || text === "damaged" ? "bad" : "");
        if (!i) cell.scope = "row";
        return cell;
      }));
      return line;
    }));
  }

  function show(state) {
    const all = Object.values(state.states).reduce((a, b) => a + b, 0), done = state.states.done || 0;
    document.title = state.kind === "run" ? state.title : `${done}/${all} ${state.title}`;
    at("title").textContent = state.title;
    at("points").querySelector("h2").textContent = state.kind === "sweep" ? "Points" : "Runs";
    const open = all - done - (state.states.failed || 0) - (state.states.damaged || 0);
    const work = state.at_work ? "at work" : open ? "nothing is at work here" : "all has ended";
    update("standing", [work, done, all], () => { at("standing").textContent = state.kind === "run" ? work : `${work}: ${done} of ${all} done`; });
    at("bar").hidden = state.kind === "run" || all === 0;
    at("bar").value = all ? done / all : 0;
    update("states", state.states, (states) => {
      at("states").replaceChildren(...Object.entries(states).map(([name, count]) => {
        const item = made("li"), bad = (name === "failed" || name === "damaged") ? "bad" : "";
        item.append(made("span", name, bad), document.createTextNode(" "), made("b", String(count), bad));
        return item;
      }));
    });
    update("failures", { list: state.failures, more: state.more_failures }, failures);
    update("learning", state.learning, learning);
    update("points", { head: state.head, rows: state.rows }, points);
  }

  async function follow() {
    let wait = EVERY;
    try {
      const answer = await fetch("state.json", { cache: "no-store", credentials: "omit" });
      if (!answer.ok) throw new Error(`answer ${answer.status}`);
      const state = await answer.json();
      show(state);
      wait = state.at_work ? EVERY : QUIET;
    } catch {
      delete shown.standing;
      at("standing").textContent = "no answer: the watching has ended, or this machine sleeps; below is what was seen last";
    }
    setTimeout(follow, wait);
  }
  follow();
})();
