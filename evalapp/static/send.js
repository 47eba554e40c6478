// Sends a page of answers, and keeps trying when the network is poor. What is not sent yet is kept in this page alone:
// nothing is stored in the browser, which others may use. Without this script the browser sends the form itself.
(() => {
  const form = document.getElementById("page");
  const line = document.getElementById("sending");
  if (!form || !line || !window.fetch || !window.AbortController) return;
  const longest = 20000; // milliseconds one try may take
  let button = null; // the one that was pressed
  let waiting = false; // something is not known to be saved
  let sending = null; // stops the try under way
  let tries = 0;
  let timer = 0;

  function say(words) {
    line.hidden = false;
    line.textContent = line.dataset[words];
  }

  // The answers as they stand now, with the page's own key: a repeat of what arrived already changes nothing.
  function fields() {
    const found = new URLSearchParams(new FormData(form));
    found.set(button.name, button.value);
    return found;
  }

  // The usual way: for every answer of the server that is a page to look at, and when anything here fails.
  function sendPlainly() {
    waiting = false;
    clearTimeout(timer);
    const pressed = document.createElement("input");
    pressed.type = "hidden";
    pressed.name = button.name;
    pressed.value = button.value;
    form.append(pressed);
    form.submit();
  }

  function again() {
    say("waiting");
    timer = setTimeout(send, Math.min(30, 2 ** tries) * 1000);
    tries += 1;
  }

  async function send() {
    clearTimeout(timer);
    if (sending) sending.abort();
    const mine = (sending = new AbortController());
    const late = setTimeout(() => mine.abort(), longest);
    waiting = true;
    if (!tries) say("sending");
    try {
      const answer = await fetch(form.action, {
        method: "POST", body: fields(), signal: mine.signal, cache: "no-store", headers: { "X-Sent-By": "script" },
      });
      if (mine !== sending) return;
      if (answer.status === 429 || (answer.status >= 500 && tries < 6)) return again();
      if (!(answer.headers.get("Content-Type") || "").startsWith("application/json")) return sendPlainly();
      const { to } = await answer.json();
      waiting = false;
      say("saved");
      location.assign(to);
    } catch {
      if (mine === sending) again(); // no answer, or half of one: the same again, until one comes
    } finally {
      clearTimeout(late);
    }
  }

  form.addEventListener("submit", (event) => {
    button = event.submitter;
    if (!button || !button.name) return;
    event.preventDefault();
    if (waiting && !tries) return; // a double click
    send();
  });
  addEventListener("online", () => waiting && send());
  addEventListener("beforeunload", (event) => waiting && event.preventDefault());
  // Leaving at once is never held up, nor a tablet that goes back to its code page.
  for (const other of document.forms) if (other !== form) other.addEventListener("submit", () => (waiting = false));
  addEventListener("away", () => {
    waiting = false;
    clearTimeout(timer);
    if (sending) sending.abort();
    sending = null;
  });
})();
