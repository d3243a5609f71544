// Opens GraphiQL in a real browser and runs a query in it. Usage: node graphiql.mjs http://127.0.0.1:PORT
// Prints one JSON line: what the result pane showed, which requests left the server's own origin, what the console said.
import { chromium } from 'playwright-core';

const origin = process.argv[2];
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
});
try {
  const page = await browser.newPage();
  const foreign = [];
  const errors = [];
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(origin) && !url.startsWith('data:') && !url.startsWith('blob:')) foreign.push(url);
  });
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
  page.on('pageerror', (error) => errors.push(String(error)));
  await page.goto(`${origin}/graphiql?query=${encodeURIComponent('{ viewer { kind } }')}`);
  const result = page.locator('.result-window', { hasText: 'viewer' });
  // On a loaded machine the button is there before the page listens to it.
  for (let tries = 1; ; tries += 1) {
    await page.locator('.graphiql-execute-button').click();
    try {
      await result.waitFor({ timeout: 5_000 });
      break;
    } catch (error) {
      if (tries === 12) throw error;
    }
  }
  console.log(JSON.stringify({ result: await result.innerText(), foreign, errors }));
} finally {
  await browser.close();
}
