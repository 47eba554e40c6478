// Takes the code out of the link /j#CODE, puts it in the box and wipes it from the address. The person presses Continue.
(() => {
  const fill = () => {
    const code = location.hash.slice(1);
    if (!/^[0-9A-Za-z-]{12,16}$/.test(code)) return;
    document.getElementById("code").value = code;
    history.replaceState(null, "", location.pathname + location.search);
  };
  addEventListener("hashchange", fill);
  fill();
})();
