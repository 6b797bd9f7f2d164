// The page's language: every text stands in words/<language>.js, which exports one object of the same keys.

import en from './words/en.js';

const languages = { en };

function choose() {
  for (const wanted of navigator.languages || []) {
    const primary = wanted.toLowerCase().split('-')[0];
    if (languages[primary]) return languages[primary];
  }
  return en;
}

/** The texts in use. */
export const w = choose();
