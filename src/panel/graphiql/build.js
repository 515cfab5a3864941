// Makes what the GraphQL page loads: `npm ci && npm run build`. The files are kept in `../assets`,
// so the server itself is built without npm.
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { build, transform } from "esbuild";

const assets = new URL("../assets/", import.meta.url);
const read = (path) => readFileSync(new URL(path, import.meta.url), "utf8");

const made = await build({
  entryPoints: ["main.js"],
  bundle: true,
  minify: true,
  // Icons are called after their functions.
  keepNames: true,
  format: "iife",
  target: "es2022",
  define: { "process.env.NODE_ENV": '"production"' },
  alias: { "react-style-singleton": "./sheets.js" },
  legalComments: "none",
  metafile: true,
  write: false,
});
writeFileSync(new URL("graphiql.min.js", assets), made.outputFiles[0].contents);

// Its fonts would have to be data addresses; the system's do.
const style = read("node_modules/graphiql/dist/style.css").replace(/@font-face\s*\{[^}]*\}/g, "");
const small = await transform(`${style}\n${read("page.css")}`, { loader: "css", minify: true });
writeFileSync(new URL("graphiql.min.css", assets), small.code);

// The licence of each package whose code is in it.
const inputs = Object.values(made.metafile.outputs)[0].inputs;
const used = new Set(
  Object.entries(inputs)
    .filter(([path, { bytesInOutput }]) => bytesInOutput > 0 && path.startsWith("node_modules/"))
    .map(([path]) => path.match(/^node_modules\/((?:@[^/]+\/)?[^/]+)/)[1]),
);
const texts = new Map();
for (const name of [...used].sort()) {
  const about = JSON.parse(read(`node_modules/${name}/package.json`));
  const folder = new URL(`node_modules/${name}/`, import.meta.url);
  const file = readdirSync(folder).find((file) => /^licen[cs]e/i.test(file) && existsSync(new URL(file, folder)));
  const text = file ? readFileSync(new URL(file, folder), "utf8").trim() : `Licence: ${about.license}`;
  texts.set(text, [...(texts.get(text) ?? []), `${name} ${about.version} (${about.license})`]);
}
const parts = [...texts].map(([text, names]) => `${names.join("\n")}\n\n${text}\n`);
writeFileSync(new URL("graphiql.LICENSE", assets), parts.join(`\n${"-".repeat(80)}\n\n`));
