// Puts an invitation code from the link's fragment into its box, and takes it out of the address and the history.
(() => {
  const box = document.getElementById("invitation");
  const code = decodeURIComponent(location.hash.slice(1));
  if (!box || !/^[\w-]{20,}$/.test(code)) return;
  if (!box.value) box.value = code;
  history.replaceState(null, "", location.pathname);
})();
