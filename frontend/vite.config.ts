import { defineConfig } from "vite";

// One entry per island; the server reads the manifest and links only what a page uses.
export default defineConfig({
  base: "/static/dist/",
  publicDir: false,
  // copc.js asks for laz-perf as a page would have it: its worker's build is the one we have.
  resolve: { alias: [{ find: /^laz-perf$/, replacement: "laz-perf/lib/worker/index.js" }] },
  build: {
    outDir: "../droneteam/web/static/dist",
    emptyOutDir: true,
    manifest: true,
    target: "es2022",
    chunkSizeWarningLimit: 700,
    sourcemap: false,
    // An inlined asset would be a data: address, which the content security policy refuses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: {
        main: "src/main.ts",
        passkey: "src/passkey.ts",
        field: "src/field.ts",
        sw: "src/sw.ts",
        request: "src/request.ts",
        mission: "src/mission.ts",
        planner: "src/planner.ts",
        live: "src/live.ts",
        replay: "src/replay.ts",
        history: "src/history.ts",
        coverage: "src/coverage.ts",
        flight: "src/flight.ts",
        ortho: "src/ortho.ts",
        swipe: "src/swipe.ts",
        cloud: "src/cloud.ts",
        marking: "src/marking.ts",
        uploads: "src/uploads.ts",
        schedule: "src/schedule.ts",
        daymap: "src/daymap.ts",
        zones: "src/zones.ts",
        flown: "src/flown.ts",
      },
    },
  },
});
