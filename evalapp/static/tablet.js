// Gives a shared tablet back to its code page when nobody has touched it for a while, after asking.
(() => {
  const seconds = Number(document.currentScript.dataset.seconds);
  const asking = document.getElementById("still-there");
  let touched = Date.now();
  let told = Date.now(); // when the server last heard of this page
  const note = () => {
    touched = Date.now();
    asking.hidden = true;
    if (touched - told < 240000) return;
    told = touched;
    fetch("/go", { redirect: "manual", cache: "no-store" }).catch(() => {}); // keeps the visit open while somebody writes
  };
  for (const kind of ["pointerdown", "keydown", "input", "scroll", "touchmove"]) addEventListener(kind, note, { passive: true, capture: true });
  setInterval(() => {
    const still = (Date.now() - touched) / 1000;
    if (still >= seconds) {
      dispatchEvent(new Event("away"));
      location.replace("/?away=1");
    }
    else if (still >= seconds - Math.min(60, seconds / 3)) asking.hidden = false;
  }, 1000);
})();
