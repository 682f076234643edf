// @ts-check
/** `node build.mjs`: the plugin as one file for Flex, build/plugin-orchestrator.js. With `--tests`: build/test/. */
import { readdirSync } from "node:fs";
import { build } from "esbuild";

/** What Flex has loaded already, by the names of its globals. @type {Record<string, string>} */
const GLOBALS = { "@twilio/flex-ui": "Twilio.Flex", react: "React", "react-dom": "ReactDOM" };

/** @type {import("esbuild").Plugin} */
const fromFlex = {
  name: "from-flex",
  setup(made) {
    const names = new RegExp(`^(${Object.keys(GLOBALS).join("|")})$`);
    made.onResolve({ filter: names }, ({ path }) => ({ path, namespace: "from-flex" }));
    made.onLoad({ filter: /.*/, namespace: "from-flex" }, ({ path }) => ({
      contents: `module.exports = window.${GLOBALS[path]};`,
    }));
  },
};

/** @type {import("esbuild").BuildOptions} */
const common = { bundle: true, target: "es2020", logLevel: "warning", jsx: "transform" };

if (process.argv.includes("--tests")) {
  const tests = readdirSync("test").map((name) => `test/${name}`);
  const alias = { "react-dom/test-utils": "react-dom/test-utils.js" }; // Node's imports want the whole name
  await build({ ...common, entryPoints: tests, outdir: "build/test", format: "esm", packages: "external", alias });
} else {
  await build({
    ...common,
    entryPoints: ["src/index.js"],
    outfile: "build/plugin-orchestrator.js",
    format: "iife",
    minify: true,
    sourcemap: true,
    legalComments: "none",
    plugins: [fromFlex],
  });
}
