import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { defineConfig } from 'vite';

// The server sends these bytes as they are: compressing once here costs no start-up time, no memory and no
// dependency there, and the best level is affordable.
function precompress() {
  const worth = /\.(js|css|html|svg|json|ttf)$/;
  return {
    name: 'precompress',
    apply: 'build',
    async closeBundle() {
      const entries = await readdir('dist', { recursive: true, withFileTypes: true });
      await Promise.all(entries.filter((entry) => entry.isFile() && worth.test(entry.name)).map(async (entry) => {
        const path = join(entry.parentPath, entry.name);
        const plain = await readFile(path);
        if (plain.length < 1024) return;
        const brotli = await promisify(brotliCompress)(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } });
        await writeFile(`${path}.br`, brotli);
        await writeFile(`${path}.gz`, await promisify(gzip)(plain, { level: 9 }));
      }));
    },
  };
}

export default defineConfig({
  plugins: [precompress()],
  build: {
    target: 'es2022',
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 4096,
    rollupOptions: {
      input: { graphiql: 'graphiql.html' },
      onLog(level, log, report) {
        // React Server Component marks in libraries; there is no server rendering here.
        if (log.code !== 'MODULE_LEVEL_DIRECTIVE') report(level, log);
      },
    },
  },
  server: { proxy: { '/graphql': { target: 'http://127.0.0.1:8000', ws: true } } },
});
