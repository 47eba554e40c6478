// Reads the page aloud with a voice that is on this device, so that nothing is sent anywhere. Without one, no button is shown.
(() => {
  const button = document.getElementById("aloud"), speech = window.speechSynthesis;
  if (!button || !speech) return;
  const PARTS = ":is(h1, h2, p:not(.buttons), li, legend, label, dt, dd)";
  const say = button.textContent, stop = button.dataset.stop;
  const main = one => one.toLowerCase().split(/[-_]/)[0];
  const voice = language => speech.getVoices().find(one => one.localService && main(one.lang) === main(language));
  const offer = () => { button.hidden = !voice(document.documentElement.lang); };
  const rest = () => { speech.cancel(); button.textContent = say; };
  const read = () => {
    const said = [...document.querySelectorAll("main " + PARTS)]
      .filter(one => one.getClientRects().length && !one.querySelector(PARTS) && one.textContent.trim())
      .map(one => [one.textContent.trim().replace(/\s+/g, " "), voice(one.closest("[lang]").lang)])
      .filter(([, found]) => found)
      .map(([text, found]) => Object.assign(new SpeechSynthesisUtterance(text), { voice: found, lang: found.lang }));
    if (!said.length) return;
    button.textContent = stop;
    said[said.length - 1].onend = rest;
    said.forEach(one => speech.speak(one));
  };
  button.addEventListener("click", () => button.textContent === stop ? rest() : (speech.cancel(), read()));
  addEventListener("pagehide", rest);
  speech.addEventListener("voiceschanged", offer);
  rest();
  offer();
})();
