// A live page takes newer states of itself as the run goes on, and stays as it is once they end.
(function () {
  const status = document.getElementById("live");
  const shown = {};

  function told(text, on) {
    status.textContent = text;
    status.classList.toggle("on", on);
  }

  function key(unfolding) {
    const plot = unfolding.closest("figure")?.querySelector(".plot");
    return (plot ? plot.id : "") + unfolding.querySelector("summary").textContent;
  }

  // Figures that are there already move over, and what was unfolded stays unfolded.
  function fill(section, html) {
    const open = new Set(Array.from(section.querySelectorAll("details[open]"), key));
    const fresh = document.createElement("template");
    fresh.innerHTML = html;
    const next = fresh.content.firstElementChild;
    for (const one of next.querySelectorAll("details")) one.open = open.has(key(one));
    for (const place of next.querySelectorAll(".plot")) {
      const old = document.getElementById(place.id);
      if (!old) continue;
      old.setAttribute("aria-label", place.getAttribute("aria-label"));
      place.replaceWith(old);
    }
    section.replaceChildren(...next.childNodes);
  }

  function take(state) {
    document.title = state.title;
    document.querySelector("h1").textContent = state.title;
    if (shown.lead !== state.lead) document.getElementById("lead").innerHTML = shown.lead = state.lead;
    if (shown.contents !== state.contents) document.getElementById("contents").innerHTML = shown.contents = state.contents;
    const main = document.getElementById("main");
    for (const section of [...main.children]) {
      if (!state.sections.some(([anchor]) => anchor === section.id)) section.remove();
    }
    state.sections.forEach(([anchor, html], place) => {
      let section = document.getElementById(anchor);
      if (!section) {
        section = document.createElement("section");
        section.id = anchor;
        section.setAttribute("aria-labelledby", anchor + "-heading");
        main.insertBefore(section, main.children[place] || null);
      }
      if (shown[anchor] !== html) fill(section, html);
      shown[anchor] = html;
    });
    window.hothouse.show(state.figures);
    window.hothouse.follow();
  }

  const events = new EventSource("events");
  events.addEventListener("state", (event) => {
    const state = JSON.parse(event.data);
    take(state);
    told(state.ended ? "The run has ended; this is the whole of it." : "Live: this page follows the run.", true);
  });
  events.addEventListener("bye", () => {
    events.close();
    told("Nobody serves this page any more; what it shows stays.", false);
  });
  events.addEventListener("error", () => told("The connection is lost; trying again …", false));
})();
