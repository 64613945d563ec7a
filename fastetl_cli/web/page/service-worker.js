// Keeps the whole page in this browser, so that it works offline after one visit. Only a static folder uses it.

// Several pads of one origin have a cache each.
const PREFIX = `fastetl-pad-${new URL(registration.scope).pathname}-`;
const NAME = PREFIX + "VERSION";
const FILES = ["FILES"];

self.addEventListener("install", (event) => {
  // Past the browser's own cache: the files of one version belong together.
  const requests = FILES.map((file) => new Request(file, { cache: "reload" }));
  event.waitUntil(caches.open(NAME).then((cache) => cache.addAll(requests)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const oldNames = (names) => names.filter((name) => name.startsWith(PREFIX) && name !== NAME);
  const clean = caches.keys().then((names) => Promise.all(oldNames(names).map((name) => caches.delete(name))));
  event.waitUntil(clean.then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== location.origin) return;
  const answer = async () => {
    const cache = await caches.open(NAME);
    return (await cache.match(event.request, { ignoreSearch: true })) ?? fetch(event.request);
  };
  event.respondWith(answer());
});
