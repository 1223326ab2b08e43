// What report.html does beside being read: the filter, opening and closing, equal code on request, paper. Without it all is there and open to read.
(() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const functions = document.getElementById('functions');
  const sections = all('.function');
  const entries = all('nav [data-function]');
  document.documentElement.classList.add('scripted');

  const filter = document.getElementById('filter');
  const filtered = document.getElementById('filtered');
  filter.addEventListener('input', () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const [i, section] of sections.entries()) {
      const text = section.dataset.words.toLowerCase();
      const fits = words.every((word) => text.includes(word));
      section.hidden = !fits;
      entries[i].hidden = !fits;
      if (fits) shown++;
    }
    filtered.value = words.length === 0 ? '' : `${shown} of ${sections.length}`;
  });

  const openAll = (open) => {
    for (const section of sections) section.querySelector('details').open = open;
  };
  document.getElementById('open-all').addEventListener('click', () => openAll(true));
  document.getElementById('close-all').addEventListener('click', () => openAll(false));

  document.getElementById('show-equal').addEventListener('change', (event) => {
    functions.classList.toggle('equal-too', event.target.checked);
  });
  document.getElementById('show-bytes').addEventListener('change', (event) => {
    functions.classList.toggle('bytes-too', event.target.checked);
  });
  functions.addEventListener('click', (event) => {
    const button = event.target.closest('.more button');
    if (button === null) return;
    const shown = button.closest('tbody').nextElementSibling.classList.toggle('shown');
    button.setAttribute('aria-expanded', String(shown));
  });

  // a link into something closed opens it
  const reveal = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target === null) return;
    target.hidden = false;
    for (let around = target; around !== null; around = around.parentElement)
      if (around instanceof HTMLDetailsElement) around.open = true;
    if (target.classList.contains('function')) target.querySelector('details').open = true;
    target.scrollIntoView();
  };
  addEventListener('hashchange', reveal);
  reveal();

  // paper cannot be opened
  let closed = [];
  addEventListener('beforeprint', () => {
    closed = all('details:not([open])');
    for (const each of closed) each.open = true;
  });
  addEventListener('afterprint', () => {
    for (const each of closed) each.open = false;
  });
})();
